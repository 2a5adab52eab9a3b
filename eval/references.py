"""Which votes refer to an adapter. They know it by the digest of its weights: a name can be given again, or change."""

from pathlib import Path

import sqlalchemy as sa

from eval.errors import InputError
from eval.votes import StoreError, Votes, database_url


def votes_with(digest: str, home: Path, database: str | None = None) -> int:
    """How many votes, superseded ones too, were cast on answers of the adapter with that digest.

    The log is that of the URL `database`, or the default one of `home`; where there is none yet, none is made. Raises
    InputError where it cannot be read.
    """
    url = database or database_url(home)
    if not _exists(url):
        return 0
    try:
        log = Votes(url)
        try:
            return sum(digest in _used(event.vote.configuration) for event in log.events() if event.vote is not None)
        finally:
            log.close()
    except StoreError as error:
        raise InputError(str(error)) from error


def _used(configuration: dict[str, object]) -> list[object]:
    """Digests of the adapter that answered, and of the parent that it was set against."""
    parts = (configuration.get("adapter"), configuration.get("parent"))
    return [part.get("digest") for part in parts if isinstance(part, dict)]


def _exists(url: str) -> bool:
    """Whether there is a log, as far as can be told without making one."""
    try:
        place = sa.make_url(url)
    except sa.exc.ArgumentError:
        return True  # opening it says what is wrong
    if place.get_backend_name() != "sqlite" or place.database in (None, "", ":memory:"):
        return True
    return Path(str(place.database)).is_file()
