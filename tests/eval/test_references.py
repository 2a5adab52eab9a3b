"""Votes are counted by the digest of the adapter that answered, whatever it is called now."""

from pathlib import Path

import pytest

from eval.errors import InputError
from eval.references import votes_with
from eval.votes import Votes, database_url
from tests.eval.making import make_vote
from tuning import neighbours
from tuning.errors import InputError as TuningError


def cast(home: Path, *digests: str | None) -> None:
    log = Votes(database_url(home))
    for number, digest in enumerate(digests):
        adapter = {"adapter": {"name": "mine", "digest": digest}} if digest else {}
        log.append(make_vote(f"c{number}", configuration=adapter))
    log.close()


def test_each_vote_on_its_answers_counts(home: Path) -> None:
    assert votes_with("one", home) == 0
    assert not home.exists(), "looking makes no log"
    cast(home, "one", "two", "one", None)
    assert [votes_with(digest, home) for digest in ("one", "two", "three")] == [2, 1, 0]
    assert neighbours.votes_with("one", home) == 2
    assert votes_with("one", home / "elsewhere", database_url(home)) == 2


def test_a_log_that_cannot_be_read_is_told(home: Path) -> None:
    home.mkdir()
    (home / "votes.sqlite").write_text("this is no database, although it is long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="could not be"):
        votes_with("one", home)
    with pytest.raises(TuningError, match="could not be"):
        neighbours.votes_with("one", home)


def test_without_the_votes_package_nothing_refers_to_anything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "VOTES_WITH", ("no_such_package.references", "votes_with"))
    assert neighbours.votes_with("one", home) == 0
    monkeypatch.setattr(neighbours, "VOTES_WITH", ("eval.references", "votes_with"))
    monkeypatch.setattr("eval.references.votes_with", lambda *_: (_ for _ in ()).throw(ModuleNotFoundError(name="x")))
    with pytest.raises(ModuleNotFoundError):
        neighbours.votes_with("one", home)
