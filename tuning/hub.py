"""Push an adapter to the Hugging Face Hub, with the card that states all that is known of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
)

from tuning.adapters import CARD, CONFIG, Adapter
from tuning.errors import InputError
from tuning.exports import export_adapter
from tuning.repository import is_repository

if TYPE_CHECKING:
    from tuning.base import Base

TRANSPORT: type[Exception] = HfHubHTTPError.__bases__[0]
"""The root of all that the Hub's HTTP client raises, whichever client that is."""
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token that may write"


def push(adapter: Adapter, repo: str, private: bool = False, base: "Base | None" = None) -> str:
    """Upload the adapter, or with `base` the merged model, as the Hub's repository `repo`. Returns its address.

    What is uploaded is what an export writes, without where files of this machine lie. Raises InputError in one
    sentence where the name cannot be a repository, the Hub cannot be reached, or does not let this user write there.
    """
    if not is_repository(repo):
        raise InputError(f"{repo!r} is no repository; name it owner/name")
    with TemporaryDirectory(prefix="fourfold-push-") as scratch, told(repo):
        folder = export_adapter(adapter, Path(scratch) / "upload", base)
        _hide_paths(adapter, folder)
        api = HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.repo_info(repo).private:
            raise InputError(f"{repo} exists and is public; choose another name, or push without --private")
        done = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=f"Upload {adapter.name}")
    return str(getattr(done, "repo_url", None) or f"https://huggingface.co/{repo}")


def _hide_paths(adapter: Adapter, folder: Path) -> None:
    for name, field in ((CARD, "base"), (CONFIG, "base_model_name_or_path")):
        path = folder / name
        if path.is_file():
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            record[field] = adapter.shown_base
            path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@contextmanager
def told(repo: str) -> Iterator[None]:
    """What goes wrong on the way to the Hub, in one sentence with the remedy."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise InputError(f"the Hub wants to know who pushes; {LOG_IN}") from error
    except OfflineModeIsEnabled as error:
        raise InputError("HF_HUB_OFFLINE is set, so nothing can be pushed; unset it and push again") from error
    except HFValidationError as error:
        raise InputError(f"{repo!r} is no repository's name ({_line(error)}); name it owner/name") from error
    except HfHubHTTPError as error:
        raise InputError(_refusal(repo, error)) from error
    except (TRANSPORT, ConnectionError, TimeoutError) as error:
        raise InputError(f"the Hub cannot be reached ({_line(error)}); check the network and push again") from error


def _refusal(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        return f"the Hub does not accept the token; {LOG_IN}"
    if status == 403:
        return f"the token may not write to {repo}; choose a repository of your own, or {LOG_IN}"
    if status == 404:
        return f"the Hub knows no owner {repo.split('/')[0]!r} to whom you may push; check the name"
    return f"the Hub refused {repo} ({status}: {_line(error)}); try again later"


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0][:200]
