"""The same log on a real PostgreSQL server: migrations, what comes back, and many who write and read at once."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from eval import database
from eval.ballot import ballot_of
from eval.errors import InputError
from eval.votes import StoreError, Votes
from tests.eval.making import make_vote
from tests.eval.old_log import write_first_version
from tests.eval.postgres import server


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def url(cluster: str) -> str:
    """A database without tables."""
    engine = sa.create_engine(cluster)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return cluster


@pytest.fixture
def log(url: str) -> Iterator[Votes]:
    votes = Votes(url)
    yield votes
    votes.close()


def test_the_log_keeps_its_promises(log: Votes, url: str) -> None:
    """NUL characters and lone surrogates, which the server itself refuses in text, come back."""
    odd = make_vote(question="Warum?\x00 \ud800", choice="rag", acceptable=False)
    log.append(odd)
    log.append(odd)
    log.append(make_vote(rater="another"))
    log.append(make_vote("c1"))
    log.undo("c1", "rater-1")
    second = make_vote(choice="tie")
    log.append(second)
    log.reveal("c0")
    with pytest.raises(InputError, match="revealed"):
        log.append(make_vote())
    assert [vote.rater for vote in log.votes()] == ["another", "rater-1"]
    assert log.ballots() == [ballot_of(vote) for vote in log.votes()]
    assert log.events()[0].vote == odd
    again = Votes(url)
    assert again.votes() == log.votes()
    assert again.merge([record for _, record in log.records()]) == 0
    again.close()


def test_a_log_of_the_first_version_is_brought_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = write_first_version(url, monkeypatch)
    log = Votes(url)
    assert [vote.id for vote in log.votes()] == [vote.id for vote in old]
    assert log.ballots() == [ballot_of(vote) for vote in old]
    log.append(make_vote("c9"))
    assert log.count() == len(old) + 1
    log.close()


def test_a_log_of_a_newer_version_is_left_alone(log: Votes, url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(database.APPLIED.insert().values(number=99))
    engine.dispose()
    with pytest.raises(StoreError, match="newer version"):
        Votes(url)


def test_no_reader_misses_a_vote_that_was_late(log: Votes, url: str) -> None:
    """Numbers are given out before commits: who reads up to 7 while 6 is on its way must not forget about 6."""
    reader, failures = Votes(url), []

    def append(name: int) -> None:
        try:
            for number in range(25):
                log.append(make_vote(f"thread{name}-{number}"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=append, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        reader.ballots()
    assert failures == []
    assert {ballot.id for ballot in reader.ballots()} == {vote.id for vote in log.votes()}
    assert reader.count() == 8 * 25
    reader.close()


def test_of_a_vote_and_a_reveal_at_once_one_is_first(log: Votes) -> None:
    for number in range(20):
        outcome: list[bool] = []

        def append(number: int = number, outcome: list[bool] = outcome) -> None:
            try:
                log.append(make_vote(f"c{number}"))
                outcome.append(True)
            except InputError:
                outcome.append(False)

        voter = threading.Thread(target=append)
        voter.start()
        log.reveal(f"c{number}")
        voter.join()
        kinds = [event.kind for event in log.events() if event.comparison == f"c{number}"]
        assert kinds == (["vote", "reveal"] if outcome[0] else ["reveal"])
