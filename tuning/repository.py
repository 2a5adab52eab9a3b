"""What can be the name of a repository on the Hugging Face Hub, without the Hub's library, which is slow to load."""

import re

_NAME = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}")


def is_repository(name: str) -> bool:
    """Whether it is an owner and a name, at most 96 characters each."""
    return _NAME.fullmatch(name) is not None
