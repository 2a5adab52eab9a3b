"""What may be renamed or removed: the user's own, while no run needs it; and with votes on it only when told twice."""

from pathlib import Path

from tuning.adapters import Adapter, delete_adapter, rename_adapter
from tuning.errors import InputError
from tuning.jobs import list_jobs
from tuning.neighbours import votes_with


def rename(adapter: Adapter, name: str, home: Path) -> Adapter:
    """Give an adapter of the user another name. Raises InputError where that may not be."""
    _refuse(adapter, home, "renamed")
    return rename_adapter(adapter, name)


def delete(adapter: Adapter, home: Path, database: str | None = None, even_with_votes: bool = False) -> int:
    """Remove an adapter of the user; returns how many votes referred to it.

    Raises InputError where that may not be, and where votes refer to it unless `even_with_votes`: their answers could
    not be made again. The votes stay; they hold the answers themselves, and the digest of what gave them.
    """
    _refuse(adapter, home, "deleted")
    try:
        votes = votes_with(adapter.digest, home, database)
    except InputError as error:
        if even_with_votes:
            votes = 0
        else:
            raise InputError(f"{adapter.name} was not deleted: {error}") from error
    if votes and not even_with_votes:
        refer = "1 vote refers" if votes == 1 else f"{votes} votes refer"
        raise InputError(
            f"{refer} to {adapter.name}, whose answers could then not be made again; to delete it all the same, say so "
            "a second time with --even-with-votes"
        )
    delete_adapter(adapter)
    return votes


def _refuse(adapter: Adapter, home: Path, done: str) -> None:
    own = {home.resolve() / shelf for shelf in ("adapters", "models")}
    if adapter.path.resolve().parent not in own:
        raise InputError(
            f"{adapter.name} comes with the program and cannot be {done}; export it to have one of your own"
        )
    ours = {str(adapter.path.resolve()), str(adapter.path), *([adapter.name] if adapter.is_model else [])}
    for job in list_jobs(home):
        if job.active and ours & {job.told.get("start"), job.told.get("base")}:
            raise InputError(
                f"run {job.id} ({job.name}) goes on from {adapter.name}; wait for it or stop it, then it can be {done}"
            )
