"""What the results page says: no more than the votes bear out, in sentences and in well-formed, escaped HTML."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.ballot import ballot_of
from eval.findings import effect_sentence, summary
from eval.outcomes import Tally
from eval.ranking import rank_votes
from eval.results import failure, nothing_yet
from eval.results import report as report_on_ballots
from eval.variants import IDS
from eval.vote import Vote
from tests.eval.making import make_vote


def votes_for(*choices: str, repeat: int = 1, **changes: object) -> list[Vote]:
    return [make_vote(f"c{number}", choice=choice, **changes) for number, choice in enumerate(choices * repeat)]


def report(votes: list[Vote]) -> str:
    return report_on_ballots([ballot_of(vote) for vote in votes])


class Reader(HTMLParser):
    """Text and elements of a report; an element that is closed out of order fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.elements: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.elements.append(tag)
        self.styles += [value or "" for name, value in attributes if name == "style"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_without_votes_the_page_says_what_to_do() -> None:
    text = Reader(report([])).text
    assert "No blind votes yet" in text
    assert "Compare page" in text
    assert "1 vote made with the names visible" in Reader(report(votes_for("rag", blind=False))).text
    assert "3 votes made" in nothing_yet(Tally(open=3))[-1]


@pytest.mark.parametrize("choice", IDS)
def test_nothing_is_called_ahead_on_a_first_impression(choice: str) -> None:
    """Nine votes for one variant look decisive and are not yet: another tool crowned a leader after one vote."""
    lines = summary(rank_votes(votes_for(choice, repeat=9)))
    assert lines[0].startswith("Provisional: 1 more vote that")
    assert not any("is ahead" in line or "better than" in line for line in lines)


def test_a_winner_is_named_only_against_all_three() -> None:
    clear = votes_for("combined", repeat=60)
    assert summary(rank_votes(clear))[0].startswith("The combined variant is ahead")
    close = votes_for(*["combined"] * 6, *["rag"] * 5, "tuned", repeat=16)
    assert summary(rank_votes(close))[0] == (
        "No clear winner yet: combined leads and is better than tuned and base, but rag could be as good or better."
    )
    even = votes_for(*IDS, repeat=10)
    assert "do not tell the best from the others" in summary(rank_votes(even))[0]


def test_tuning_against_retrieval_is_said_either_way() -> None:
    assert "cannot be told" in summary(rank_votes(votes_for(*IDS, repeat=10)))[-1]
    retrieval = votes_for(*["rag"] * 8, "tuned", "base", "combined", repeat=10)
    assert summary(rank_votes(retrieval))[-1] == "Of the two on their own, rag is better than tuned."


def test_effects_in_words() -> None:
    found = {}
    for name, choices in {
        "none": IDS,
        "retrieval": ["rag", "rag", "rag", "combined", "combined", "combined", "base", "tuned"],
        "against tuning": ["rag", "rag", "rag", "base", "base", "base", "combined", "tuned"],
        "apart": ["rag", "tuned", "rag", "tuned", "rag", "tuned", "base", "combined"],
        "together": ["combined", "base", "combined", "base", "combined", "base", "rag", "tuned"],
    }.items():
        found[name] = [effect_sentence(effect) for effect in rank_votes(votes_for(*choices, repeat=20)).effects]
    assert all("cannot be told yet" in sentence for sentence in found["none"])
    assert found["retrieval"][1].startswith("It helps: the answer with it wins an estimated 7")
    assert found["against tuning"][0].startswith("It hurts: the answer with it wins an estimated 2")
    assert "less when the other" in found["apart"][2]
    assert "more when the other" in found["together"][2]


def test_the_numbers_of_the_page() -> None:
    votes = [
        *votes_for("rag", "rag", "combined", "tie", "all_bad", "skip", repeat=3, acceptable=True),
        make_vote("open", blind=False),
        make_vote("unaccepted", choice="rag", acceptable=False),
    ]
    text = Reader(report(votes)).text
    assert "decided 10" in text
    assert "tie 3" in text
    assert "all bad 3" in text
    assert "skipped 3" in text
    assert "not blind, left out 1" in text
    assert "accepted as it is in 18 of 19 votes" in text
    for name in (*IDS, "Tuning.", "Retrieval.", "Together."):
        assert name in text


def test_a_reason_is_escaped() -> None:
    reader = Reader(failure("<img src=x onerror=alert(1)> & more"))
    assert "img" not in reader.elements
    assert "<img src=x onerror=alert(1)> & more" in reader.text


ballots = st.lists(st.sampled_from((*IDS, "tie", "all_bad", "skip")), max_size=30)


@settings(max_examples=40)
@given(choices=ballots, blind=st.booleans())
def test_any_votes_make_a_well_formed_page_that_shows_no_text_of_theirs(choices: list[str], blind: bool) -> None:
    evil = "<script>alert('x')</script>"
    votes = votes_for(
        *choices, blind=blind, question=evil, rater=evil, answers=dict.fromkeys(IDS, evil), app_version=evil
    )
    reader = Reader(report(votes))
    assert "script" not in reader.elements
    assert evil not in reader.text
    assert "nan" not in reader.text
    for style in reader.styles:
        for share in re.findall(r"(-?[\d.]+)%", style):
            assert 0 <= float(share) <= 100
    whiskers = [style for style in reader.styles if "right" in style]
    for style in whiskers:  # no interval is drawn with zero width
        left, right = (float(share) for share in re.findall(r"([\d.]+)%", style))
        assert left + right < 100
