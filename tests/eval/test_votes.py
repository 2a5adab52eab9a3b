"""The log: nothing that was confirmed is lost, nothing is counted twice, and no failure looks like a success."""

import contextlib
import itertools
import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eval.votes as module
from eval import database
from eval.ballot import ballot_of
from eval.errors import InputError
from eval.judgement import Judgement
from eval.variants import IDS
from eval.vote import NO_WINNER
from eval.votes import StoreError, Vote, Votes, database_url
from tests.eval.making import make_vote
from tests.eval.old_log import write_first_version

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def log(home: Path) -> Iterator[Votes]:
    votes = Votes(database_url(home))
    yield votes
    votes.close()


def run_writer(code: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own that has `votes` open on the log of `home`."""
    head = (
        "import sys; from pathlib import Path; from eval.votes import Votes, database_url, StoreError;"
        "from tests.eval.making import make_vote; votes = Votes(database_url(Path(sys.argv[1])))\n"
    )
    command = [sys.executable, "-c", head + code, str(home), *arguments]
    return subprocess.Popen(command, cwd=REPO, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_vote_comes_back_as_it_was(log: Votes) -> None:
    vote = make_vote(
        question="Warum?\x00 \ud800",
        answers={"base": "x", "tuned": "x", "rag": "y\x00", "combined": "\udfff é"},
        identical=(("base", "tuned"),),
        choice="rag",
        acceptable=False,
        dwell_seconds=2.25,
        blind=False,
        app_version="1.2",
        ranking=(("rag",), ("base", "tuned"), ("combined",)),
        judgements={"rag": Judgement(thumb=True, scores={"style": 5}, tags=("unsafe",), comment="\udc00", better="ä")},
        form="ab" * 32,
        rater_kind="judge",
        campaign="spring",
        prompt_id="p7",
    )
    log.append(vote)
    assert log.votes() == [vote]
    assert [(event.kind, event.id, event.vote) for event in log.events()] == [("vote", vote.id, vote)]


def test_the_same_vote_twice_counts_once(log: Votes) -> None:
    vote = make_vote()
    log.append(vote)
    log.append(vote)
    log.reveal(vote.comparison)
    log.append(vote)  # a late retry of what was saved before the reveal is still a success
    assert log.votes() == [vote]
    assert len(log.events()) == 2


def test_one_id_cannot_hold_two_votes(log: Votes) -> None:
    vote = make_vote()
    log.append(vote)
    with pytest.raises(InputError, match="already holds another event"):
        log.append(replace(vote, choice="tie"))
    assert log.votes() == [vote]


def test_a_new_vote_supersedes_and_the_old_one_stays_in_the_log(log: Votes) -> None:
    first, other, second = make_vote(), make_vote(rater="rater-2"), make_vote(choice="tie")
    for vote in (first, other, second):
        log.append(vote)
    assert log.votes() == [other, second]
    assert log.count() == 2
    assert [event.superseded for event in log.events()] == [True, False, False]


def test_after_the_reveal_a_vote_is_final(log: Votes) -> None:
    """Arenas whose buttons stayed live after the reveal let people vote for a name instead of an answer."""
    vote = make_vote()
    log.append(vote)
    log.reveal(vote.comparison)
    log.reveal(vote.comparison)
    for late in (make_vote(choice="tie"), make_vote(rater="someone else")):
        with pytest.raises(InputError, match="revealed"):
            log.append(late)
    log.append(make_vote("c1"))
    assert [kept.comparison for kept in log.votes()] == ["c0", "c1"]
    assert [event.kind for event in log.events()] == ["vote", "reveal", "vote"]
    with pytest.raises(InputError, match="no valid id"):
        log.reveal("")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choice": "nobody"}, "the choice 'nobody'"),
        ({"shown": ("base", "rag"), "choice": "tuned"}, "the choice 'tuned'"),
        ({"order": ("base", "base", "rag", "combined")}, "the order"),
        ({"order": ("base", "rag")}, "the answers are not those"),
        ({"answers": {"base": "only"}}, "the answers are not those"),
        ({"answers": dict.fromkeys(IDS, 7)}, "an answer is not text"),
        ({"prompts": {}}, "the prompts are not those"),
        ({"turn": -1}, "turn -1"),
        ({"turn": True}, "turn True"),
        ({"question": " \n"}, "the question is empty"),
        ({"identical": (("base", "tuned"),)}, "identical groups"),
        ({"identical": (("base",),)}, "identical groups"),
        ({"acceptable": "yes"}, "acceptable is 'yes'"),
        ({"acceptable": 1}, "acceptable is 1"),
        ({"rater": None}, "printable"),
        ({"id": "g" * 32}, "hexadecimal"),
        ({"schema": 1}, "schema 1"),
        ({"task": "x" * 201}, "its task"),
        ({"mode": "parent"}, "not compared by"),
        ({"shown": ("base", "rag"), "mode": "parent"}, "not compared by"),
        ({"shown": ("base", "tuned"), "mode": "parent"}, "which the parent was"),
        ({"time": "2026-01-01T00:00:00"}, "in UTC"),
        ({"time": "2026-01-01T00:00:00+02:00"}, "in UTC"),
        ({"time": "noon"}, "in UTC"),
        ({"rater": ""}, "printable"),
        ({"comparison": "\ud800"}, "printable"),
        ({"tokens": {"base": -1}}, "tokens or seconds"),
        ({"seconds": {"base": float("nan")}}, "tokens or seconds"),
        ({"seconds": {"judge": 1.0}}, "tokens or seconds"),
        ({"dwell_seconds": float("inf")}, "dwell_seconds"),
        ({"mode": "guess"}, "the mode 'guess'"),
        ({"mode": "open"}, "blind is True"),
        ({"mode": "pair"}, "a pair has two"),
        ({"ranking": (("base", "rag"), ("tuned",))}, "the ranking"),
        ({"ranking": (("base",), (), ("tuned", "rag", "combined"))}, "a place of the ranking"),
        ({"ranking": (("rag",), ("base", "tuned", "combined"))}, "the choice 'base' is not what its ranking"),
        ({"ranking": (("base", "rag"), ("tuned", "combined"))}, "the choice 'base' is not what its ranking"),
        ({"choice": "all_bad", "acceptable": True}, "acceptable is True"),
        ({"choice": "all_good", "acceptable": False}, "acceptable is False"),
        ({"rater_kind": "cat"}, "the kind of rater 'cat'"),
        ({"shown": ("base", "rag"), "judgements": {"tuned": Judgement(thumb=True)}}, "that was not shown"),
        ({"judgements": {"base": Judgement()}}, "a judgement of a single answer"),
        ({"judgements": {"base": Judgement(scores={"style": 0})}}, "a judgement of a single answer"),
        ({"judgements": {"base": Judgement(comment="x" * 4001)}}, "a judgement of a single answer"),
        ({"judgements": {"base": Judgement(tags=("unsafe",))}}, "need the digest of the form"),
        ({"form": "latest"}, "need the digest of the form"),
        ({"campaign": "\n"}, "campaign or prompt"),
        ({"configuration": {"x": float("nan")}}, "JSON"),
        ({"configuration": {"x": {1, 2}}}, "JSON"),
    ],
)
def test_what_contradicts_itself_is_refused(log: Votes, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        log.append(make_vote(**changes))
    assert log.events() == []


def test_a_vote_can_be_taken_back_until_the_reveal(log: Votes) -> None:
    first, second = make_vote(), make_vote(choice="tie")
    log.undo(first.comparison, first.rater)
    assert log.events() == [], "there was nothing to take back"
    log.append(first)
    log.undo(first.comparison, "someone else")
    assert log.votes() == [first]
    log.undo(first.comparison, first.rater)
    log.undo(first.comparison, first.rater)
    assert log.votes() == log.ballots() == []
    log.append(second)
    assert log.votes() == [second]
    assert [event.kind for event in log.events()] == ["vote", "undo", "vote"]
    log.reveal(first.comparison)
    with pytest.raises(InputError, match="revealed"):
        log.undo(first.comparison, first.rater)


def test_another_log_takes_the_events_once(log: Votes, tmp_path: Path) -> None:
    votes = [make_vote(f"c{number}", question=f"\ud800 {number}") for number in range(3)]
    for vote in votes:
        log.append(vote)
    log.append(replace(votes[0], id="a" * 32, choice="skip"))
    log.undo("c1", "rater-1")
    log.reveal("c2")
    records = [json.loads(json.dumps(record)) for _, record in log.records()]
    assert [number for number, _ in log.records(after=2, most=3)] == [3, 4, 5]
    other = Votes(database_url(tmp_path / "other"))
    other.append(make_vote("local"))
    assert other.merge(records[:4]) == 4
    assert other.merge(records) == 2
    assert other.merge(records) == 0
    assert [vote.comparison for vote in other.votes()] == ["local", "c2", "c0"]
    assert [ballot.id for ballot in other.ballots()] == [vote.id for vote in other.votes()]
    with pytest.raises(InputError, match="revealed"):
        other.append(make_vote("c2", choice="tie"))
    other.close()


@pytest.mark.parametrize(
    "changes", [{"kind": "love"}, {"turn": "0"}, {"payload": "{"}, {"payload": "[1]"}, {"rater": "another"}, {"id": 7}]
)
def test_what_is_no_event_is_not_merged(log: Votes, tmp_path: Path, changes: dict[str, object]) -> None:
    log.append(make_vote())
    log.append(make_vote("c1"))
    first, second = (record for _, record in log.records())
    other = Votes(database_url(tmp_path / "other"))
    with pytest.raises(InputError, match="is no event"):
        other.merge([first, {**second, **changes}])
    with pytest.raises(InputError, match="is no event"):
        other.merge([{}])
    assert other.events() == []
    other.close()


def test_a_log_of_the_first_version_is_read_and_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    old = write_first_version(database_url(home), monkeypatch)
    log = Votes(database_url(home))
    assert log.votes() == [replace(vote, schema=1) for vote in old]
    assert [vote.mode for vote in log.votes()] == ["best", "open", "pair"]
    assert log.ballots() == [ballot_of(vote) for vote in old]
    log.append(make_vote("c3"))
    assert log.count() == 4
    log.close()


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("vote"), st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 1),
            st.sampled_from((*IDS, *NO_WINNER)),
        ),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("reveal"), st.sampled_from("abc")),
        st.tuples(st.just("undo"), st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 1)),
        st.tuples(st.just("read")),
        st.tuples(st.just("reopen")),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_any_sequence_ends_as_a_plain_dictionary_says(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    url = database_url(tmp_path_factory.mktemp("log"))
    log, kept, appended, revealed = Votes(url), {}, [], set()
    for step in steps:
        if step[0] == "vote":
            _, comparison, rater, turn, choice = step
            vote = make_vote(comparison, rater=rater, turn=turn, choice=choice)
            if comparison in revealed:
                with pytest.raises(InputError):
                    log.append(vote)
            else:
                log.append(vote)
                appended.append(vote)
                kept.pop((comparison, rater, turn), None)
                kept[comparison, rater, turn] = vote
        elif step[0] == "undo" and step[1] not in revealed:
            log.undo(*step[1:])
            kept.pop(step[1:], None)
        elif step[0] == "again" and appended:
            log.append(appended[step[1] % len(appended)])
        elif step[0] == "reveal":
            log.reveal(step[1])
            revealed.add(step[1])
        elif step[0] == "read":
            assert [ballot.id for ballot in log.ballots()] == [vote.id for vote in kept.values()]
        elif step[0] == "reopen":
            log.close()
            log = Votes(url)
    assert log.votes() == list(kept.values())
    assert log.ballots() == [ballot_of(vote) for vote in kept.values()]
    assert log.count() == len(kept)
    assert [event.vote for event in log.events() if event.vote] == appended
    assert {event.comparison for event in log.events() if event.kind == "reveal"} == revealed
    log.close()


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_confirmed(home: Path) -> None:
    """Killed fifty times at any moment: each confirmed id must be in the log, once and whole.

    The writers are forked from a process that has everything loaded, so that fifty start in no time. An id is confirmed
    only after `append` has returned.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    chance, confirmed = random.Random(9), set()
    for attempt in range(50):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=vote_on, args=(home, attempt, writer))
        process.start()
        writer.close()
        confirmed.update(reader.recv_bytes() for _ in range(chance.randrange(1, 8)))
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.join()
        with contextlib.suppress(EOFError):  # the end, maybe in the middle of a message
            while True:
                confirmed.add(reader.recv_bytes())
        reader.close()
    log = Votes(database_url(home))
    ids = [vote.id.encode() for vote in log.votes()]
    assert [ballot.id.encode() for ballot in log.ballots()] == ids
    log.close()
    assert len(confirmed) >= 50
    assert len(ids) == len(set(ids))
    assert confirmed <= set(ids)
    assert len(ids) - len(confirmed) <= 50, "more than the one vote in flight of each writer"


def vote_on(home: Path, attempt: int, confirmed: Connection) -> None:
    """Append votes for ever and say the id of each one that is saved."""
    log = Votes(database_url(home))
    for number in itertools.count():
        vote = make_vote(f"{attempt}-{number}")
        log.append(vote)
        confirmed.send_bytes(vote.id.encode())


def test_processes_and_threads_append_at_once(home: Path) -> None:
    code = "for number in range(15):\n    votes.append(make_vote(f'{sys.argv[2]}-{number}'))\n"
    writers = [run_writer(code, home, f"process{number}") for number in range(2)]  # both also create the log
    log = Votes(database_url(home))
    failures: list[BaseException] = []

    def append(name: int) -> None:
        try:
            for number in range(10):
                log.append(make_vote(f"thread{name}-{number}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors
    assert failures == []
    assert log.count() == len({vote.id for vote in log.votes()}) == 2 * 15 + 4 * 10
    log.close()


def test_a_full_disk_is_a_failure_and_keeps_the_earlier_votes(home: Path) -> None:
    """A limit on the size of a file stands for the full disk: the write fails in the same place."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "for number in range(1000):\n"
        "    vote = make_vote(f'c{number}', configuration={'padding': 'long ' * 2000})\n"
        "    try:\n"
        "        votes.append(vote)\n"
        "    except StoreError as error:\n"
        "        print(error, file=sys.stderr)\n"
        "        assert len(votes.votes()) == number  # the log is still readable while the disk is full\n"
        "        break\n"
        "    print(vote.id)\n"
    )
    writer = run_writer(code, home)
    confirmed, failure = writer.communicate()
    assert writer.returncode == 0, failure
    assert "could not be written" in failure
    assert "make room" in failure
    assert len(failure.splitlines()) == 1
    log = Votes(database_url(home))
    assert [vote.id for vote in log.votes()] == confirmed.split()
    assert len(confirmed.split()) > 3
    log.append(make_vote("there is room again"))
    assert log.count() == len(confirmed.split()) + 1
    log.close()


def test_sqlite_saying_full_is_reported(log: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(make_vote())
    sa.event.listen(log._engine, "checkout", lambda raw, *_: raw.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match="full"):
        log.append(make_vote("c1", question="long " * 100_000))
    assert log.count() == 1


def test_a_log_of_a_newer_version_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    with monkeypatch.context() as newer:
        newer.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, lambda connection: ran.append(1)))
        Votes(database_url(home)).close()
        Votes(database_url(home)).close()
    assert ran == [1]  # applied once, remembered afterwards
    with pytest.raises(StoreError, match="newer version"):
        Votes(database_url(home))


@pytest.mark.parametrize("payload", ['{"id": 1}', '{"schema": 99}', "{", "[]"])
def test_a_payload_that_cannot_be_read_is_named(log: Votes, home: Path, payload: str) -> None:
    log.append(make_vote())
    with sa.create_engine(database_url(home)).begin() as connection:
        connection.execute(sa.text("UPDATE events SET payload = :payload"), {"payload": payload})
        connection.engine.dispose()
    with pytest.raises(StoreError, match="Event 1"):
        log.votes()


def test_a_page_needs_not_wait_for_what_was_read_ahead(log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first results page of 100,000 votes took three seconds, two of them for reading."""
    log.append(make_vote())
    expected = log.ballots()
    later = Votes(database_url(home))
    later.read_ahead().join()
    read: list[str] = []
    monkeypatch.setattr(module.ballot, "decode", read.append)
    assert later.ballots() == expected != []
    assert read == []
    later.close()


def test_what_cannot_be_read_ahead_is_said_by_who_asks(log: Votes, home: Path) -> None:
    log.append(make_vote())
    with sa.create_engine(database_url(home)).begin() as connection:
        connection.execute(sa.text("UPDATE ballots SET payload = '{'"))
        connection.engine.dispose()
    log.read_ahead().join()
    with pytest.raises(StoreError, match="Event 1"):
        log.ballots()


def test_a_vote_waits_for_the_disk(log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 cannot show this, because the kernel keeps what a dead process wrote; a power cut would.

    At the moment that the disk is waited for, the log's file must already hold the vote.
    """
    synced: list[tuple[str, bytes]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced.append((path.name, path.read_bytes()))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    vote = make_vote()
    log.append(vote)
    assert [(name, vote.id.encode() in content) for name, content in synced] == [("votes.sqlite-wal", True)]
    log.append(vote)
    assert len(synced) == 2, "a retry is confirmed too, and so it waits too"
    log.reveal(vote.comparison)
    assert len(synced) == 3


def test_a_disk_that_fails_while_it_is_waited_for_is_a_failure(log: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fsync)
        with pytest.raises(StoreError, match="could not be written"):
            log.append(make_vote())


def test_where_the_log_cannot_be_written_ahead_each_commit_waits(log: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems cannot share memory between processes."""
    monkeypatch.setattr(database, "_write_ahead", lambda connection: False)
    log.close()
    with log._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 3  # EXTRA
        database.sync(connection)


def test_a_file_that_is_no_database_is_a_store_error(home: Path) -> None:
    home.mkdir()
    (home / "votes.sqlite").write_bytes(b"these are not the votes that you are looking for" * 10)
    with pytest.raises(StoreError, match="not a database"):
        Votes(database_url(home))


@pytest.mark.parametrize("url", ["votes", "nosql://here", "mysql+nodriver://host/name", ""])
def test_an_unusable_url_is_an_input_error(url: str) -> None:
    with pytest.raises(InputError, match="database URL"):
        Votes(url)


@pytest.mark.parametrize("name", ["with space", "with%20percent", "with#hash", "ünï", "with?mark"])
def test_any_folder_name_can_hold_the_log(tmp_path: Path, name: str) -> None:
    log = Votes(database_url(tmp_path / name))
    log.append(make_vote())
    log.close()
    assert (tmp_path / name / "votes.sqlite").is_file()


def test_vote_is_exported_under_the_name_that_the_pages_use() -> None:
    assert module.Vote is Vote
