"""Files read in another process: the same text as in this one, and no file that ends more than itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.confined import Limits
from rag.documents import Document, read_document
from rag.errors import InputError
from rag.index import Index
from rag.reading import READER, Reader
from tests.conftest import REPO


@pytest.fixture
def hostile() -> Iterator[Reader]:
    """A reader that obeys the files, within two seconds and 512 MB."""
    reader = Reader(Limits(seconds=2, megabytes=512), "tests.rag.hostile_process")
    yield reader
    reader.close()


def outcome(read: Callable[[str, bytes], Document], name: str, data: bytes) -> Document | str:
    """The document, or the sentence of the refusal."""
    try:
        return read(name, data)
    except InputError as error:
        return str(error)


@given(st.text(min_size=1), st.sampled_from(["a.txt", "a.md", "a.html", "ä\n.md"]))
def test_what_comes_back_is_what_this_process_would_read(text: str, name: str) -> None:
    data = f"# Title\n\nwords {text}".encode("utf-8", "replace")
    assert outcome(READER.read, name, data) == outcome(read_document, name, data)


def test_pages_come_back(make_pdf: Callable[..., bytes]) -> None:
    data = make_pdf("One.", "", "Three.")
    assert READER.read("a.pdf", data) == read_document("a.pdf", data)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("loop", "takes longer than 2 s to read"),
        ("sleep", "takes longer than 2 s to read"),
        ("swell", "needs more than 512 MB of memory to read"),
        ("crash", "makes its reader fail (signal SIGABRT)"),
        ("quit", "makes its reader fail (status 3)"),
    ],
)
def test_a_hostile_file_costs_itself_and_says_why(hostile: Reader, order: str, reason: str) -> None:
    first = hostile.read("good.txt", b"-").text
    assert hostile.read("good.txt", b"-").text == first, "one process for all files"
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        hostile.read("bad.txt", order.encode())
    assert str(caught.value).startswith(f"bad.txt {reason}; ")
    assert time.monotonic() - started < 60
    assert not psutil.pid_exists(int(first))
    assert hostile.read("good.txt", b"-").text != first, "and another one goes on"


def test_no_file_can_be_written_and_what_is_printed_is_no_answer(hostile: Reader, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="status 1"):  # OSError, or SIGXFSZ where Python does not ignore it
        hostile.read("bad.txt", f"write {tmp_path / 'written'}".encode())
    assert not (tmp_path / "written").exists() or (tmp_path / "written").stat().st_size == 0
    assert hostile.read("good.txt", b"print").text.isdigit()


def test_one_bad_file_does_not_stop_a_run(index: Index, hostile: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.adding.READER", hostile)
    report = index.add([("1.txt", b"a"), ("2.txt", b"crash"), ("3.txt", b"quit"), ("4.txt", b"b")])
    assert [entry["path"] for entry in report.added] == ["1.txt", "4.txt"]
    assert [entry["path"] for entry in report.failed] == ["2.txt", "3.txt"]


def test_a_parsers_own_mistake_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from rag import reader_process

    answers: list[dict[str, object]] = []
    monkeypatch.setattr(reader_process, "read_document", lambda name, data: {}["boom"])
    reader_process.read({"name": "a.txt"}, b"x", lambda header, data=b"": answers.append(header))
    assert answers[0]["error"] == "a.txt cannot be read (KeyError); it may be damaged: save it anew."


ORPHAN = """
import os, threading
from rag.confined import Limits
from rag.reading import Reader
reader = Reader(Limits(2, 512), "tests.rag.hostile_process")
print(reader.read("a.txt", b"-").text, flush=True)
if os.environ["ORDER"]:
    threading.Thread(target=reader.read, args=("a.txt", os.environ["ORDER"].encode())).start()
threading.Event().wait()
"""


@pytest.mark.parametrize("order", ["", "loop"])
def test_the_process_outlives_no_killed_parent(order: str) -> None:
    """Idle, it sees its input end; looping, its own limit of processor time ends it."""
    environment = {**os.environ, "ORDER": order}
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, cwd=REPO, env=environment) as parent:
        child = psutil.Process(int(parent.stdout.readline()))  # type: ignore[union-attr]
        time.sleep(0.3)
        parent.send_signal(signal.SIGKILL)
    psutil.wait_procs([child], timeout=120)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_device_or_a_huge_file_is_refused_unread(index: Index, tmp_path: Path) -> None:
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(201 << 20)
    report = index.add([("zero", Path("/dev/zero")), ("huge.txt", huge)])
    assert [entry["reason"] for entry in report.failed] == [
        "zero is no file; give files or folders.",
        "huge.txt has 201 MB, and 200 are read; split it.",
    ]
