"""A private dataset repository on the Hub as a place for files that are written once and never changed.

huggingface_hub is imported at the first use, and gives the token that it finds (HF_TOKEN, or a login). Its calls have
no bound of their own in time, so each gets one here; one that ends later still does no harm, because what a file holds
twice is merged by its ids.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eval.errors import InputError
from tuning.repository import is_repository

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "votes"
ANSWER_SECONDS = 60.0
"""How long one call may take."""
CONFLICTS = (409, 412)
"""Somebody else's commit came first; ours changes no file of theirs and can be sent again at once."""
LOG_IN = "set HF_TOKEN to a token that may write to it"
Result = TypeVar("Result")


class RepoError(RuntimeError):
    """The repository could not be read or written. A clause that says why and what helps."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class VotesRepo:
    """The files under `votes/` of one dataset repository."""

    def __init__(self, name: str, public: bool = False, seconds: float = ANSWER_SECONDS) -> None:
        """Connects to nothing. Raises InputError where `name` cannot be a repository's."""
        if not is_repository(name):
            raise InputError(f"FOURFOLD_VOTES_REPO is {name!r}, which is no repository; name it owner/name.")
        self.name = name
        self._public = public
        self._seconds = seconds
        self._api: HfApi | None = None
        self._prepared = False

    def prepare(self) -> None:
        """Create it, private, if it is not there. A public one is refused unless told, because votes hold prompts."""
        if self._prepared:
            return
        private = not self._public
        self._call(lambda api: api.create_repo(self.name, private=private, repo_type="dataset", exist_ok=True))
        info = self._call(lambda api: api.dataset_info(self.name))
        if not self._public and not info.private:
            raise RepoError(
                f"{self.name} is public and votes hold prompts; make it private, or set FOURFOLD_VOTES_PUBLIC=1"
            )
        self._prepared = True

    def parts(self) -> list[str]:
        """The paths of all files."""
        listed = self._call(lambda api: list(api.list_repo_files(self.name, repo_type="dataset")))
        return sorted(path for path in listed if path.startswith(f"{FOLDER}/") and path.endswith(".jsonl"))

    def read(self, paths: list[str]) -> Iterator[tuple[str, bytes]]:
        """The content of each file, in the order of `paths`, a few at a time in transit."""
        with tempfile.TemporaryDirectory(prefix="fourfold-votes-") as folder, ThreadPoolExecutor(4) as pool:

            def fetch(path: str) -> bytes:
                kept = self._call(
                    lambda api: api.hf_hub_download(self.name, path, repo_type="dataset", local_dir=folder)
                )
                return Path(kept).read_bytes()

            yield from zip(paths, pool.map(fetch, paths), strict=True)

    def write(self, path: str, content: bytes) -> None:
        """Commit one file; again, where another commit came between."""
        for attempt in range(5):
            try:
                self._call(lambda api: _commit(api, self.name, path, content))
                return
            except RepoError as error:
                if error.status not in CONFLICTS or attempt == 4:
                    raise
                threading.Event().wait(0.2 * 2**attempt)

    def _call(self, work: "Callable[[HfApi], Result]") -> Result:
        """What `work` gives within the time it has. Everything that goes wrong is a RepoError."""
        result: list[Any] = []
        failure: list[Exception] = []

        def do() -> None:
            try:
                if self._api is None:
                    from huggingface_hub import HfApi

                    self._api = HfApi(library_name="fourfold")
                with _told(self.name):
                    result.append(work(self._api))
            except RepoError as error:
                failure.append(error)
            except Exception as error:  # whatever a library raises, it must not end the thread that pushes votes
                failure.append(RepoError(f"the Hub's client failed ({_line(error)})"))

        thread = threading.Thread(target=do, name="hub-call", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if failure:
            raise failure[0]
        if not result:
            raise RepoError(f"the Hub did not answer within {self._seconds:g} s")
        answer: Result = result[0]
        return answer


def _commit(api: "HfApi", repo: str, path: str, content: bytes) -> Any:
    from huggingface_hub import CommitOperationAdd

    added = CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
    return api.create_commit(repo, [added], commit_message="Add votes", repo_type="dataset")


@contextmanager
def _told(repo: str) -> Iterator[None]:
    """What huggingface_hub raises, in words."""
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
    )

    transport: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise RepoError(f"there is no token; {LOG_IN}", 401) from error
    except OfflineModeIsEnabled as error:
        raise RepoError("HF_HUB_OFFLINE is set; unset it") from error
    except HFValidationError as error:
        raise RepoError(f"{repo!r} is no repository's name ({_line(error)})") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise RepoError(_refusal(repo, status, error), status) from error
    except (transport, ConnectionError, TimeoutError) as error:
        raise RepoError(f"the Hub cannot be reached ({_line(error)})") from error


def _refusal(repo: str, status: int, error: Exception) -> str:
    if status == 401:
        return f"the Hub does not accept the token; {LOG_IN}"
    if status == 403:
        return f"the token may not write to {repo}; {LOG_IN}"
    if status == 404:
        return f"the Hub knows no {repo}, or the token may not see it; check the name, and {LOG_IN}"
    if status == 429:
        return "the Hub asks for fewer requests (429)"
    return f"the Hub refused ({status}: {_line(error)})"


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0][:200]
