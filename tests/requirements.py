"""requirements.txt for a Space, generated from pyproject.toml: `make requirements`.

A Space brings gradio, spaces and huggingface_hub at the versions that its front matter names, and its GPU hardware the
torch that it was built with: a pin of ours would fail the build.
"""

import re
import sys
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BROUGHT = {"gradio", "spaces", "huggingface-hub"}
UNPINNED = {"torch"}


def requirements(pyproject: str) -> str:
    """The text of requirements.txt for the text of a pyproject.toml."""
    lines = ["# Generated from pyproject.toml by `make requirements`; a test holds the two together."]
    for requirement in tomllib.loads(pyproject)["project"]["dependencies"]:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)[0]  # type: ignore[index]
        if name not in BROUGHT:
            lines.append(name if name in UNPINNED else requirement)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(requirements((REPO / "pyproject.toml").read_text(encoding="utf-8")))
