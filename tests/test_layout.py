"""The house rules that a reader relies on, held by tests: who imports whom, and what stands at the top."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.requirements import requirements

PACKAGES = ("rag", "tuning", "eval")
SOURCES = [REPO / "app.py", *(path for package in PACKAGES for path in sorted((REPO / package).rglob("*.py")))]
FORBIDDEN = {"rag": {"tuning", "eval", "app"}, "tuning": {"rag", "eval", "app"}, "eval": {"app"}, "app.py": set()}


def imported(path: Path) -> set[str]:
    """First parts of the names of all modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPO)))
def test_imports_form_a_tree(path: Path) -> None:
    """`rag` and `tuning` know nothing of each other, `eval` uses both, `app.py` is imported by nothing."""
    names = imported(path)
    assert not names & FORBIDDEN[path.relative_to(REPO).parts[0]]
    if not (path.name == "app.py" or path.name.endswith("_tab.py")):
        assert "gradio" not in names, "only app.py and *_tab.py know of pages"


def test_the_page_does_not_wait_for_torch() -> None:
    """torch and transformers take seconds to import; the page is up before, and they load behind it."""
    script = "import sys, app; print([m for m in ('torch', 'transformers', 'faiss', 'peft') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_reaches_for_the_network_at_import() -> None:
    script = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError(f'network at import: {a}')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import app, tuning.engine, tuning.train, rag.index, eval.ranking"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_top_level_is_what_the_readme_says() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert top <= {
        "pyproject.toml", "app.py", "rag", "tuning", "eval", "tests", "data", "README.md", "LICENSE", "CHANGELOG.md",
        "CONTRIBUTING.md", "Makefile", "requirements.txt", "Dockerfile", ".ci", "docs", ".gitignore", ".dockerignore",
    }  # fmt: skip


def test_requirements_txt_is_generated() -> None:
    """A Space installs this file; it must say what pyproject.toml says, without a torch pin."""
    text = (REPO / "requirements.txt").read_text(encoding="utf-8")
    assert text == requirements((REPO / "pyproject.toml").read_text(encoding="utf-8")), "run `make requirements`"
    assert "torch" in text.splitlines()
    assert not any(line.startswith(("gradio", "spaces", "huggingface")) for line in text.splitlines())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_command_has_help_with_an_example(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert f"python -m {package}" in done.stdout
