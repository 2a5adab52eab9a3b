"""An export as a data set of the Hugging Face Hub."""

from collections.abc import Sequence

from huggingface_hub import HfApi

from eval.errors import InputError
from eval.export import FORMATS, LESSONS
from eval.vote import Vote
from tuning.hub import told
from tuning.repository import is_repository


def push(votes: Sequence[Vote], name: str, repo: str, public: bool = False) -> str:
    """Upload the votes in format `name` to the data set `repo`, made if absent. Returns its address.

    Private unless told otherwise: questions and answers may be anybody's. Raises InputError in one sentence where the
    name cannot be a repository, the Hub cannot be reached or does not let this user write there, and where a data set
    that is to be private is there and public.
    """
    if not is_repository(repo):
        raise InputError(f"{repo!r} is no repository; name it owner/name.")
    ending = "jsonl" if name in LESSONS else name
    with told(repo):
        api = HfApi()
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.repo_info(repo, repo_type="dataset").private:
            raise InputError(f"{repo} exists and is public; choose another name, or push with --public.")
        api.upload_file(
            path_or_fileobj=FORMATS[name](votes),
            path_in_repo=f"votes-{name}.{ending}",
            repo_id=repo,
            repo_type="dataset",
            commit_message=f"Upload {len(votes)} votes as {name}",
        )
    return f"https://huggingface.co/datasets/{repo}"
