"""The report says all of it, on one page of its own, whatever the answers contain; the command writes it."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.advice import Question, advise
from eval.verdict_report import as_html, as_markdown, blocks, costs, title
from eval.votes import Votes, database_url
from tests.eval.test_verdict import result, votes

MEANS = {"base": 0.2, "rag": 0.7, "tuned": 0.3, "combined": 0.7}
HOSTILE = "<script>alert(1)</script> | [x](javascript:alert(1)) \ud800"
Captured = pytest.CaptureFixture[str]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_the_report_is_one_page_that_loads_and_runs_nothing() -> None:
    page = as_html(advise([], result(MEANS, hostile=HOSTILE), [], Question()))
    tags = Tags()
    tags.feed(page)
    assert not {"script", "link", "img", "iframe", "a"} & set(tags.seen)
    assert {"h1", "table", "blockquote"} <= set(tags.seen)
    assert "&lt;script&gt;" in page
    assert "http" not in page


def test_markdown_takes_no_markup_from_answers() -> None:
    text = as_markdown(advise([], result(MEANS, hostile=HOSTILE), [], Question()))
    assert "<script" not in text.replace("\\<script", "")
    assert "[x](" not in text.replace("\\[x\\](", "")
    assert text.startswith("# Retrieve")


def test_it_says_what_was_compared_by_which_rule_and_at_what_cost() -> None:
    advice = advise(votes({"rag": 30, "base": 10}), result(MEANS), [], Question())
    page = as_html(advice)
    for words in ("60 held-out rows", "40 blind votes of 7 raters", "Margin: 5 points", "costs least", "97.5 %"):
        assert words in page, words
    assert [kind for kind, _ in blocks(advice)].count("table") == 2
    assert any("is not on this disk any more" in line for line in costs(advice))


def test_an_open_verdict_says_how_much_is_missing() -> None:
    advice = advise(votes({"rag": 9, "base": 2, "tuned": 2, "combined": 3}), None, [], Question())
    assert title(advice).startswith("Not settled yet: about ")
    assert title(advice).endswith("more votes.")


@pytest.fixture
def log(home: Path) -> None:
    log = Votes(database_url(home))
    for vote in votes({"rag": 12, "base": 3}):
        log.append(vote)
    log.close()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_the_command_prints_the_agreed_keys_and_writes_the_report(home: Path, name: str, capsys: Captured) -> None:
    (home / "benchmarks" / "b").mkdir(parents=True)
    (home / "benchmarks" / "b" / "result.json").write_text(json.dumps({"schema": 1, **result(MEANS)}))
    assert main(["verdict", "--benchmark", "b", "--report", str(home / name), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"recommendation", "settled", "reason", "votes_needed"} <= set(told)
    assert (told["recommendation"], told["settled"]) == ("retrieve", True)
    assert [one["kind"] for one in told["evidence"]] == ["votes", "benchmark"]
    assert len(told["examples"]) == 10
    assert "Retrieve" in (home / name).read_text()
    assert main(["verdict"]) == 0
    assert capsys.readouterr().out.startswith("Not settled yet")


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--benchmark", "nothing"], "no finished benchmark 'nothing'"),
        (["--margin", "0.7"], "between 0 and 0.5"),
        (["--report", "report.doc"], "in .html"),
        (["--order", "lora"], "names lora"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], remedy: str, capsys: Captured) -> None:
    assert main(["verdict", *arguments]) == 2
    captured = capsys.readouterr()
    assert remedy in captured.err
    assert len(captured.err.splitlines()) == 1


def test_without_any_vote_it_says_what_to_do(capsys: Captured) -> None:
    assert main(["verdict", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["recommendation"], told["settled"], told["votes_needed"]) == ("not settled yet", False, None)
