"""An AI judge played by this test: what it says is read strictly, asked twice, and kept apart from people."""

import json
import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from eval.__main__ import main
from eval.agreement import agreements
from eval.ballot import ballot_of
from eval.errors import InputError
from eval.judge import Judge, JudgeError, Settings, read, settings_of
from eval.judging import judge_pairs, judge_reports, open_pairs, pair_outcomes_of
from eval.outcomes import choices_of
from eval.votes import Votes, database_url
from tests.eval.fake_judge import FakeJudge, judging, prefers
from tests.eval.making import make_vote

ANSWERS = ("the good answer", "the poor answer")


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    with judging() as fake:
        yield fake


@pytest.fixture
def log(home: Path) -> Iterator[Votes]:
    votes = Votes(database_url(home))
    yield votes
    votes.close()


def judge_of(fake: FakeJudge, seconds: float = 5.0) -> tuple[Judge, list[float]]:
    """A judge whose pauses are written down and not waited for."""
    pauses: list[float] = []
    return Judge(Settings(fake.url, "tiny", "secret-key", seconds), pauses.append), pauses


def compare(fake: FakeJudge) -> str:
    judge, _ = judge_of(fake)
    try:
        return judge.compare("Which?", ANSWERS).verdict
    finally:
        judge.close()


def test_the_better_answer_wins_wherever_it_stands(fake: FakeJudge) -> None:
    fake.says = prefers("good")
    judge, _ = judge_of(fake)
    assert judge.compare("Which?", ANSWERS, "what is known").verdict == "first"
    assert judge.compare("Which?", ANSWERS[::-1]).verdict == "second"
    assert [asked.answers for asked in fake.seen[:2]] == [ANSWERS, ANSWERS[::-1]]
    assert fake.seen[0].documents == "what is known"
    assert fake.seen[2].documents == ""
    assert fake.seen[0].key == "Bearer secret-key"
    judge.close()


def test_a_judge_that_prefers_a_place_has_no_opinion(fake: FakeJudge) -> None:
    fake.says = lambda asked: '{"better": "1"}'
    judge, _ = judge_of(fake)
    opinion = judge.compare("Which?", ANSWERS)
    assert (opinion.straight, opinion.swapped) == ("first", "second")
    assert not opinion.consistent
    assert opinion.verdict == "tie"
    judge.close()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ('{"better": "1"}', "1"),
        (' {"better": 2}\n', "2"),
        ('```json\n{"better": "tie"}\n```', "tie"),
        ('<think>1 or 2? {"better": "2"}</think>{"better": "1"}', "1"),
        ("1", None),
        ("Answer 1 is better.", None),
        ('{"better": "1"} because', None),
        ('{"better": "3"}', None),
        ('{"better": true}', None),
        ('{"better": "1", "worse": "2"}', None),
        ('[{"better": "1"}]', None),
        ("", None),
    ],
)
def test_a_reply_is_read_strictly(reply: str, said: str | None) -> None:
    assert read(reply) == said


def test_what_cannot_be_read_is_asked_for_once_more(fake: FakeJudge) -> None:
    replies = iter(["I think the first.", '{"better": "1"}', '{"better": "2"}'])
    fake.says = lambda asked: next(replies)
    assert compare(fake) == "first"
    assert [message["role"] for message in fake.seen[1].messages] == ["system", "user", "assistant", "user"]
    assert "not the JSON object" in fake.seen[1].messages[-1]["content"]


def test_garbage_is_no_vote(fake: FakeJudge) -> None:
    """A peer saves what it cannot read as a tie, and so the more a judge babbles the closer everything looks."""
    fake.says = lambda asked: "lorem ipsum"
    with pytest.raises(JudgeError, match="not the JSON object that was asked for, twice"):
        compare(fake)


def test_a_busy_endpoint_is_waited_for_as_it_asks(fake: FakeJudge) -> None:
    fake.says = prefers("good")
    later = formatdate(time() + 40, usegmt=True)
    fake.statuses = [(429, {"Retry-After": "7"}), (503, {"Retry-After": later}), (500, {})]
    judge, pauses = judge_of(fake)
    assert judge.compare("Which?", ANSWERS).verdict == "first"
    assert pauses[0] == 7
    assert 30 < pauses[1] <= 40
    assert pauses[2] == 4
    fake.statuses = [(429, {"Retry-After": "3600"})]
    with pytest.raises(JudgeError, match="asks to wait 3600 s"):
        judge.compare("Which?", ANSWERS)
    fake.statuses = [(502, {})] * 5
    with pytest.raises(JudgeError, match=r"is busy \(502\)"):
        judge.compare("Which?", ANSWERS)
    judge.close()


def test_no_reply_in_time(fake: FakeJudge) -> None:
    fake.hold = threading.Event()
    judge, pauses = judge_of(fake, seconds=0.05)
    with pytest.raises(JudgeError, match=r"no reply within 0\.05 s"):
        judge.compare("Which?", ANSWERS)
    assert pauses == [1, 2, 4, 8]
    fake.hold.set()
    judge.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept the key"),
        (404, "check FOURFOLD_JUDGE_URL, which mostly ends with /v1"),
        (400, "refused the call"),
    ],
)
def test_what_cannot_go_well_ends_the_run_in_words(fake: FakeJudge, status: int, words: str) -> None:
    fake.statuses = [(status, {})]
    with pytest.raises(InputError, match=words) as raised:
        compare(fake)
    assert "secret-key" not in str(raised.value)


def fill(log: Votes, prompts: int = 3) -> None:
    """Two people on each prompt of a campaign, who both choose `rag`; and one vote outside of it."""
    for prompt in range(prompts):
        for rater in "ab":
            log.append(
                make_vote(f"{prompt}{rater}", choice="rag", rater=rater, campaign="k", prompt_id=f"p{prompt}",
                          question=f"Question {prompt}?")
            )  # fmt: skip
    log.append(make_vote("alone", choice="tie"))


def run(log: Votes, fake: FakeJudge, limit: int | None = None) -> list[int]:
    judge, _ = judge_of(fake)
    pairs = open_pairs(log.votes(), judge.settings.rater, limit)
    last = None
    for tally in judge_pairs(judge, pairs, log, at_once=2):
        last = tally
    judge.close()
    return [last.judged, last.inconsistent, last.failed] if last else [0, 0, 0]


def test_each_pair_of_answers_is_judged_once(log: Votes, fake: FakeJudge) -> None:
    """Raters of one prompt saw the same answers; and a run that was ended goes on where it was."""
    fill(log)
    fake.says = prefers("rag", "combined")
    assert run(log, fake, limit=5) == [5, 0, 0]
    assert run(log, fake) == [4 * 6 - 5, 0, 0]
    assert run(log, fake) == [0, 0, 0]
    votes = [vote for vote in log.votes() if vote.rater_kind == "judge"]
    assert len(votes) == 24
    assert {vote.rater for vote in votes} == {"judge:tiny"}
    vote = next(vote for vote in votes if vote.order == ("base", "rag"))
    assert vote.choice == "rag"
    assert vote.configuration["judge"] == {"model": "tiny", "wording": 1, "orders": ["second", "second"]}
    assert set(vote.answers) == {"base", "rag"}
    assert fake.seen[0].documents == "asked of rag"


def test_a_judge_counts_nowhere_among_people(log: Votes, fake: FakeJudge) -> None:
    fill(log)
    before = (agreements(log.ballots()), len(choices_of(log.ballots())))
    fake.says = prefers("base")
    run(log, fake)
    assert (agreements(log.ballots()), len(choices_of(log.ballots()))) == before


def test_its_agreement_with_people_is_told_with_its_interval(log: Votes, fake: FakeJudge) -> None:
    fill(log, prompts=6)
    fake.says = prefers("rag")
    run(log, fake)
    (report,) = judge_reports(log.ballots())
    assert report.rater == "judge:tiny"
    assert report.votes == 7 * 6
    assert report.shared == 6 * 3 + 6, "three pairs of a pick, all six of a tie"
    assert report.value == pytest.approx((6 * 3 + 3) / 24), "of the tie it makes three wins for rag"
    assert report.low < report.value < report.high
    assert report.alpha.value is not None
    assert report.alpha.low < report.alpha.value
    assert "without variation" in report.people.note
    log.append(make_vote("c", choice="tuned", rater="c", campaign="k", prompt_id="p0"))
    (report,) = judge_reports(log.ballots())
    assert report.people.value is not None
    assert report.people.value < 1


def test_which_pairs_a_vote_decides() -> None:
    def decided(**changes: object) -> dict[str, str]:
        return dict(pair_outcomes_of(ballot_of(make_vote(**changes))))  # type: ignore[arg-type]

    assert decided(choice="rag") == {"base/rag": "rag", "tuned/rag": "rag", "rag/combined": "rag"}
    assert set(decided(choice="tie").values()) == {"tie"}
    assert len(decided(choice="all_good")) == 6
    assert decided(choice="all_bad") == decided(choice="skip") == {}
    ranked = decided(choice="rag", ranking=(("rag",), ("base", "tuned"), ("combined",)))
    assert ranked["base/tuned"] == "tie"
    assert ranked["tuned/combined"] == "tuned"
    same = dict.fromkeys(("base", "rag"), "x") | {"tuned": "y", "combined": "z"}
    grouped = decided(choice="base", answers=same, identical=(("base", "rag"),))
    assert grouped == {"base/tuned": "base", "base/combined": "base", "tuned/rag": "rag", "rag/combined": "rag"}


def test_failures_are_told_and_asked_again(log: Votes, fake: FakeJudge) -> None:
    fill(log, prompts=1)
    fake.says = lambda asked: "?" if "base" in asked.answers[0] + asked.answers[1] else prefers("rag")(asked)
    judged, _, failed = run(log, fake)
    assert (judged, failed) == (6, 6)
    fake.says = prefers("rag")
    assert run(log, fake)[0] == 6


def test_settings() -> None:
    assert settings_of({}) is None
    found = settings_of({"FOURFOLD_JUDGE_URL": "https://u:p@judge.example/v1/", "FOURFOLD_JUDGE_MODEL": "m"})
    assert found is not None
    assert found.url.endswith("/v1")
    assert found.warning == (
        "Questions, passages and answers leave this program: they are sent to judge.example (model m)."
    )
    for environment in (
        {"FOURFOLD_JUDGE_URL": "http://x/v1"},
        {"FOURFOLD_JUDGE_MODEL": "m"},
        {"FOURFOLD_JUDGE_URL": "file:///etc/passwd", "FOURFOLD_JUDGE_MODEL": "m"},
    ):
        with pytest.raises(InputError, match="FOURFOLD_JUDGE_URL"):
            settings_of(environment)


def test_the_commands(
    log: Votes, fake: FakeJudge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge"]) == 2
    assert "FOURFOLD_JUDGE_URL" in capsys.readouterr().err
    monkeypatch.setenv("FOURFOLD_JUDGE_URL", fake.url)
    monkeypatch.setenv("FOURFOLD_JUDGE_MODEL", "tiny")
    fill(log)
    fake.says = prefers("rag")
    assert main(["judge", "--limit", "7", "--json"]) == 0
    captured = capsys.readouterr()
    assert "leave this program: they are sent to 127.0.0.1" in captured.err
    result = json.loads(captured.out.splitlines()[-1])
    assert (result["judged"], result["failed"], result["left"]) == (7, 0, 17)
    assert result["agreement"][0]["rater"] == "judge:tiny"
    assert main(["judge"]) == 0
    assert "17 pairs judged" in capsys.readouterr().out
    assert main(["raters", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {rater["rater"] for rater in result["raters"]} == {"a", "b", "rater-1"}
    assert result["agreement"]["best"]["units"] == 3
    assert result["judges"][0]["votes"] == 24
    assert main(["raters"]) == 0
    text = capsys.readouterr().out
    assert "judge:tiny" in text
    assert "best" in text


def test_refused_calls_end_the_command_with_what_to_do(
    log: Votes, fake: FakeJudge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOURFOLD_JUDGE_URL", fake.url)
    monkeypatch.setenv("FOURFOLD_JUDGE_MODEL", "tiny")
    fill(log)
    fake.statuses = [(401, {})] * 8
    assert main(["judge"]) == 2
    assert "set FOURFOLD_JUDGE_KEY" in capsys.readouterr().err
    assert all(vote.rater_kind == "person" for vote in log.votes())
