"""Campaigns on disk: what raters are handed, with real votes, real answers, several raters at once, and restarts."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from eval import campaign_tables, database
from eval.__main__ import main
from eval.agreement import agreements
from eval.campaign import Task, state_of
from eval.campaigns import Campaigns
from eval.casting import Said, make_vote
from eval.errors import InputError
from eval.handout import Next
from eval.prompts import Prompt
from eval.rating import answer_all, answer_task, comparison_of
from eval.setup import Setup
from eval.votes import Votes, database_url
from eval.workbench import Workbench
from tests.eval import making

SETUP = Setup(adapter="samples", index="samples", passages=1, max_tokens=8)
PROMPTS = [Prompt(f"p{number}", f"Question {number}?") for number in range(6)]


@pytest.fixture
def votes(home: Path) -> Iterator[Votes]:
    log = Votes(database_url(home))
    yield log
    log.close()


@pytest.fixture
def campaigns(votes: Votes, home: Path) -> Iterator[Campaigns]:
    found = Campaigns(database_url(home))
    yield found
    found.dispose()


def rate(votes: Votes, task: Task, rater: str) -> None:
    votes.append(
        making.make_vote(
            task.comparison, task.order, choice=task.order[0], rater=rater, campaign=task.campaign,
            prompt_id=task.prompt.id, question=task.prompt.question,
        )
    )  # fmt: skip
    votes.reveal(task.comparison)


def handed(campaigns: Campaigns, rater: str, name: str = "k") -> Task:
    task = campaigns.next(name, rater)
    assert isinstance(task, Task)
    return task


def test_each_rater_rates_each_shared_prompt_once(campaigns: Campaigns, votes: Votes) -> None:
    campaigns.create("k", PROMPTS, SETUP, raters=2)
    for rater in ("anna", "ben"):
        for number in range(6):
            task = handed(campaigns, rater)
            assert (task.progress.done, task.progress.total) == (number, 6)
            assert handed(campaigns, rater) == task, "a reload shows the same prompt in the same order"
            rate(votes, task, rater)
        end = campaigns.next("k", rater)
        assert end == Next(None, False, 6, 6, 0, 0)
    standing = campaigns.standing("k")
    assert (standing.needed, standing.rated, standing.held) == (12, 12, 0)
    assert standing.by_rater == {"anna": 6, "ben": 6}
    assert state_of(standing) == "finished"
    assert campaigns.next("k", "carl") == Next(None, False, 0, 0, 0, 0)
    assert agreements(votes.ballots())["best"].units == 6


def test_progress_counts_to_the_end_with_prompts_that_come_twice(campaigns: Campaigns, votes: Votes) -> None:
    campaigns.create("k", PROMPTS[:3], SETUP, retest=1)
    seen = []
    while isinstance(task := campaigns.next("k", "anna"), Task):
        assert handed(campaigns, "anna") == task
        seen.append((task.progress.done, task.progress.total, task.progress.retest))
        rate(votes, task, "anna")
    assert seen == [(0, 4, False), (1, 4, False), (2, 4, False), (3, 4, True)]
    assert campaigns.standing("k").rated == 3


def test_panes_are_shuffled_for_each_rater(campaigns: Campaigns) -> None:
    campaigns.create("k", PROMPTS[:1], SETUP, raters=40)
    orders = Counter(handed(campaigns, f"r{number}").order for number in range(40))
    assert len(orders) > 8, "40 draws of 24 orders (chance below 1e-9)"


def test_what_was_taken_back_is_not_rated(campaigns: Campaigns, votes: Votes) -> None:
    campaigns.create("k", PROMPTS, SETUP)
    task = handed(campaigns, "anna")
    votes.append(making.make_vote(task.comparison, task.order, choice=task.order[0], rater="anna"))
    assert campaigns.standing("k").rated == 1
    votes.undo(task.comparison, "anna")
    assert campaigns.standing("k").rated == 0
    assert handed(campaigns, "anna").comparison == task.comparison


def test_a_prompt_that_was_left_goes_to_another_rater_and_the_first_gets_a_new_one(votes: Votes, home: Path) -> None:
    campaigns = Campaigns(database_url(home), lease_seconds=0.1)
    campaigns.create("k", PROMPTS[:1], SETUP, raters=1)
    first = handed(campaigns, "anna")
    assert campaigns.next("k", "ben") == Next(None, False, 0, 0, 0, 1)
    time.sleep(0.15)
    again = handed(campaigns, "anna")
    assert again.comparison == first.comparison, "nobody took it meanwhile"
    time.sleep(0.15)
    second = handed(campaigns, "ben")
    assert second.comparison != first.comparison
    rate(votes, second, "ben")
    assert isinstance(campaigns.next("k", "anna"), Next)
    rate(votes, first, "anna")
    standing = campaigns.standing("k")
    assert (standing.rated, standing.needed) == (1, 1), "a late vote is kept, and is not counted twice"
    assert votes.count() == 2
    campaigns.dispose()


def test_raters_at_once_are_not_handed_too_much(campaigns: Campaigns, home: Path) -> None:
    campaigns.create("k", PROMPTS, SETUP, raters=3, overlap=2)
    tasks: list[Task | Next] = []

    def take(rater: str) -> None:
        mine = Campaigns(database_url(home))
        tasks.append(mine.next("k", rater))
        mine.dispose()

    threads = [threading.Thread(target=take, args=(f"r{number}",)) for number in range(14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counter(task.number for task in tasks if isinstance(task, Task))
    assert len(tasks) == 14
    assert sum(counts.values()) == 10
    assert max(counts.values()) <= 3
    assert sorted(counts.values()) == [1, 1, 1, 1, 3, 3]


def test_a_closed_campaign_hands_nothing_out_and_keeps_late_votes(campaigns: Campaigns, votes: Votes) -> None:
    campaigns.create("k", PROMPTS, SETUP)
    task = handed(campaigns, "anna")
    campaigns.close("k")
    with pytest.raises(InputError, match="closed"):
        campaigns.next("k", "anna")
    rate(votes, task, "anna")
    standing = campaigns.standing("k")
    assert (standing.rated, state_of(standing)) == (1, "closed")


def test_everybody_judges_the_same_pair(campaigns: Campaigns) -> None:
    campaigns.create("k", PROMPTS, Setup(adapter="samples", index="samples", mode="pair"), raters=5)
    assert len({frozenset(handed(campaigns, f"r{number}").order) for number in range(5)}) == 1


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("a b", {}, "letters, digits"),
        ("a/b", {}, "letters, digits"),
        ("", {}, "letters, digits"),
        ("n", {"raters": 0}, "give 1 to 1000"),
        ("n", {"overlap": 7}, "not 0 to 6"),
        ("n", {"retest": 9}, "give 0 to 6"),
        ("n", {"setup": Setup(adapter="a", index="b", mode="open")}, "no evidence"),
        ("n", {"setup": Setup(adapter="a", index="b", mode="parent")}, "on the Compare page"),
        ("taken", {}, "already; choose another name"),
    ],
)
def test_what_cannot_be_asked_for(campaigns: Campaigns, name: str, changes: dict, words: str) -> None:
    campaigns.create("taken", PROMPTS, SETUP)
    with pytest.raises(InputError, match=words):
        campaigns.create(name, PROMPTS, **{"setup": SETUP} | changes)
    with pytest.raises(InputError, match="no campaign 'unknown'"):
        campaigns.find("unknown")


def test_answers_are_computed_once_and_shown_to_all(loaded: Workbench, campaigns: Campaigns, votes: Votes) -> None:
    campaigns.create("k", [Prompt("p", "Who keeps the lighthouse?", "people ✓")], SETUP, raters=2)
    first = handed(campaigns, "anna")
    assert first.answers is None
    comparison = comparison_of(loaded, campaigns, first)
    assert not comparison.done
    for _ in answer_task(loaded, campaigns, first, comparison):
        pass
    assert comparison.done
    vote = make_vote(comparison, Said("0"), "anna")
    votes.append(vote)
    assert (vote.campaign, vote.prompt_id, vote.comparison) == ("k", "p", first.comparison)
    assert vote.task == "people ✓"
    assert vote.order == first.order
    second = handed(campaigns, "ben")
    stored = comparison_of(loaded, campaigns, second)
    assert stored.done, "there is nothing to wait for"
    other = make_vote(stored, Said("1"), "ben")
    assert other.task == "people ✓", "stored answers know it too"
    votes.append(other)
    assert other.answers == vote.answers
    assert other.prompts == vote.prompts
    assert other.configuration == vote.configuration
    assert stored.hits == comparison.hits
    assert state_of(campaigns.standing("k")) == "finished"


def test_of_two_who_compute_the_same_answers_the_first_ones_count(loaded: Workbench, campaigns: Campaigns) -> None:
    campaigns.create("k", PROMPTS[:1], SETUP, raters=2)
    assert campaigns.store_answers("k", 0, '{"first": 1}') == '{"first": 1}'
    assert campaigns.store_answers("k", 0, '{"second": 1}') == '{"first": 1}'


def test_stopped_answers_are_not_kept(loaded: Workbench, campaigns: Campaigns) -> None:
    """Half an answer would be what every rater sees."""
    setup = Setup(adapter="samples", index="samples", passages=1, max_tokens=300, temperature=1.5)
    campaigns.create("k", PROMPTS[:1], setup, raters=2)
    task = handed(campaigns, "anna")
    comparison = comparison_of(loaded, campaigns, task)
    steps = answer_task(loaded, campaigns, task, comparison)
    next(steps)
    comparison.stop.set()
    with pytest.raises(InputError, match="were stopped"):
        list(steps)
    assert handed(campaigns, "anna").answers is None


def test_all_answers_ahead_of_the_raters(loaded: Workbench, campaigns: Campaigns) -> None:
    campaign = campaigns.create("k", PROMPTS[:2], SETUP, raters=2)
    assert list(answer_all(loaded, campaigns, campaign)) == [(1, 2), (2, 2)]
    assert campaigns.standing("k").answered == 2
    assert list(answer_all(loaded, campaigns, campaign)) == []


def test_the_commands(campaigns: Campaigns, votes: Votes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.txt").write_text("One?\nTwo?\nThree?\n")
    arguments = ["campaign", "new", "k", str(tmp_path / "q.txt"), "--raters", "2", "--overlap", "1"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "3 prompts, 4 ratings to be made" in text
    assert "?campaign=k" in text
    assert main(arguments) == 2
    assert "choose another name" in capsys.readouterr().err
    rate(votes, handed(campaigns, "anna"), "anna")
    assert main(["campaign", "status", "k", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (facts["rated"], facts["needed"], facts["state"], facts["by_rater"]) == (1, 4, "open", {"anna": 1})
    assert main(["campaign", "status", "k"]) == 0
    assert "k (open): 1 of 4 ratings of 3 prompts by 1 raters" in capsys.readouterr().out
    assert main(["campaign", "close", "k"]) == 0
    assert "k (closed)" in capsys.readouterr().out
    assert main(["campaign", "list"]) == 0
    assert "closed" in capsys.readouterr().out
    assert main(["campaign", "status", "unknown"]) == 2
    assert main(["campaign", "new", "l", str(tmp_path / "none.txt")]) == 2


def test_a_campaign_of_an_earlier_version_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its prompts had no task."""
    url = database_url(home)
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", database.MIGRATIONS[:3])
        Votes(url).close()
    config = {"raters": 1, "overlap": 1, "retest": 0, "seed": 0, "setup": asdict(SETUP)}
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        row = {"name": "old", "created": "2026-01-01T00:00:00+00:00", "closed": "", "config": json.dumps(config)}
        connection.execute(campaign_tables.CAMPAIGNS.insert().values(**row))
        prompt = {"campaign": "old", "number": 0, "id": "p", "question": json.dumps("Who?"), "quota": 1}
        connection.execute(campaign_tables.PROMPTS.insert().values(**prompt))
    engine.dispose()
    Votes(url).close()
    campaigns = Campaigns(url)
    assert handed(campaigns, "anna", "old").prompt == Prompt("p", "Who?", "")
    campaigns.dispose()
