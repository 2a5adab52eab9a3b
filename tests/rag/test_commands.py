import json
import shutil
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from rag import __main__ as commands
from rag.chunking import Chunking
from rag.embedder import Embedder
from rag.index import Index
from rag.labels import day_of

from .conftest import HOURS, WARRANTY
from .letters import Letters


@pytest.fixture(autouse=True)
def one_embedder(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default model is loaded once for all tests instead of once a command."""
    monkeypatch.setattr("rag.embedder.Embedder", lambda name=None: embedder)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "warranty.txt").write_text(WARRANTY)
    (folder / "hours.md").write_text(HOURS)
    (folder / "bad.txt").write_bytes(b"\x00\x01")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert commands.main([*arguments, "--json"]) == 0
    result: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return result


def test_add_search_list_remove(files: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "add", str(files), "--index", "shop")
    assert {"added", "updated", "unchanged", "failed", "chunks", "seconds"} <= set(report)
    assert report["added"] == [{"path": str(files / "hours.md")}, {"path": str(files / "warranty.txt")}]
    assert (home / "indexes" / "shop" / "store.sqlite").exists()
    assert len(run(capsys, "add", str(files), "--index", "shop")["unchanged"]) == 2  # type: ignore[arg-type]

    found = run(capsys, "search", "how long is the warranty", "-k", "1", "--index", "shop")
    assert (found["query"], found["mode"]) == ("how long is the warranty", "hybrid")
    (hit,) = found["hits"]  # type: ignore[misc]
    assert {"document", "chunk", "text", "score", "cosine", "page", "start", "end"} <= set(hit)
    assert hit["text"] == WARRANTY

    assert run(capsys, "remove", "warranty.txt", "--index", "shop")["removed"] == [str(files / "warranty.txt")]
    listed = run(capsys, "list", "--index", "shop")
    assert [document["name"] for document in listed["documents"]] == [str(files / "hours.md")]  # type: ignore[attr-defined]


def test_plain_output_names_what_happened(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["add", str(files)]) == 0
    out = capsys.readouterr().out
    assert "added      " in out
    assert "convert it" in out
    assert commands.main(["search", "opening hours", "--mode", "hybrid"]) == 0
    assert HOURS in capsys.readouterr().out
    assert commands.main(["list"]) == 0
    assert "1 chunk" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "q", "--index", "nothing"], "There is no index 'nothing'"),
        (["search", "q", "--index", "../up"], "no name for an index"),
        (["add", "/no/such/file.txt"], "/no/such/file.txt does not exist"),
        (["remove", "x"], "There is no index 'default'"),
    ],
)
def test_mistakes_end_in_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert commands.main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not home.exists(), "a mistake makes no index"


def test_sync_follows_a_folder_and_remembers_it(files: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "sync", str(files))
    assert (len(report["added"]), len(report["failed"]), report["folders"]) == (2, 1, [str(files)])  # type: ignore
    (files / "hours.md").unlink()
    (files / "warranty.txt").write_text("No warranty.")
    assert commands.main(["sync"]) == 0
    out = capsys.readouterr().out
    assert f"updated    {files}/warranty.txt" in out
    assert f"removed    {files}/hours.md" in out
    assert "1 updated, 1 removed, 1 failed; 1 chunks in" in out
    (summary,) = run(capsys, "indexes")["indexes"]  # type: ignore[misc]
    assert (summary["documents"], summary["folders"], summary["chunking"]) == (1, [str(files)], "size 200 even ends")
    run(capsys, "sync", str(files), "--forget")
    assert commands.main(["sync"]) == 2
    assert "follows no folder yet" in capsys.readouterr().err
    assert len(run(capsys, "list")["documents"]) == 1, "its documents stay"  # type: ignore[arg-type]


def test_sync_tells_of_each_folder_that_is_not_there(
    files: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["sync", str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert not home.exists(), "a mistake makes no index"
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.txt").write_text("x")
    run(capsys, "sync", str(files))
    run(capsys, "sync", str(other))
    shutil.rmtree(files)
    (other / "y.txt").write_text("y")
    assert commands.main(["sync", "--json"]) == 2
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert [entry["path"] for entry in result["refused"]] == [str(files)]
    assert [entry["path"] for entry in result["added"]] == [str(other / "y.txt")], "the others are synced all the same"
    assert captured.err.count("\n") == 1


def test_search_within_documents_folders_tags_and_days(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(files), "--tag", "Shop")
    assert run(capsys, "tag", "hours.md", "--add", "daily", "--remove", "shop")["documents"] == [
        {"name": str(files / "hours.md"), "date": day_of(time.time()), "tags": ["daily"]}
    ]

    def found(*options: str) -> list[str]:
        hits = run(capsys, "search", "the warranty of the shop", *options)["hits"]
        return [Path(hit["document"]).name for hit in hits]  # type: ignore[attr-defined]

    assert found() == ["warranty.txt", "hours.md"]
    assert found("--tag", "daily") == ["hours.md"]
    assert found("--document", "hours.md") == ["hours.md"]
    assert len(found("--folder", str(files))) == 2
    assert found("--until", "2001-01-01") == []
    assert len(found("--since", "2001-01-01")) == 2
    assert [d["name"] for d in run(capsys, "list", "--tag", "shop")["documents"]] == [str(files / "warranty.txt")]  # type: ignore
    for options, message in (
        (["--folder", "elsewhere"], "holds nothing below 'elsewhere'"),
        (["--document", "no.txt"], "holds no document 'no.txt'"),
        (["--since", "monday"], "'monday' is no day"),
    ):
        assert commands.main(["search", "q", *options]) == 2
        assert message in capsys.readouterr().err


def test_reembed_changes_the_chunks_of_an_index_for_good(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(files), "--chunk-size", "100")
    assert commands.main(["add", str(files), "--chunk-size", "50"]) == 2
    assert (
        "made with the chunking size 100 even ends, not size 50 even ends; use that chunking, or"
        in capsys.readouterr().err
    )
    report = run(capsys, "reembed", "--chunk-size", "50", "--overlap", "10")
    assert (report["changed"], report["documents"], report["chunking"]) == (True, 2, "size 50 overlap 10 even ends")
    assert commands.main(["reembed"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert commands.main(["reembed", "--chunk-size", "1000"]) == 2
    assert "more than the 256 tokens that the embedder reads" in capsys.readouterr().err
    (files / "new.txt").write_text("New.")
    assert len(run(capsys, "add", str(files))["added"]) == 1  # type: ignore[arg-type]


def test_an_index_cut_as_earlier_versions_did_stays_so_until_it_is_reembedded(
    files: Path, home: Path, embedder: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Index(home / "indexes" / "default", embedder, Chunking(even=False))
    old.add([("a.md", b"# A\n\nOne.")])
    assert len(run(capsys, "add", str(files))["added"]) == 2  # type: ignore[arg-type]
    assert run(capsys, "indexes")["indexes"][0]["chunking"] == "size 200"  # type: ignore[index]
    assert run(capsys, "reembed")["chunking"] == "size 200 even ends"
    assert run(capsys, "indexes")["indexes"][0]["chunking"] == "size 200 even ends"  # type: ignore[index]


def test_an_index_is_opened_with_its_own_embedder(
    files: Path, embedder: Embedder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `reembed --embedder X`, every other command had to be told X too."""
    asked: list[str | None] = []

    def load(name: str | None = None) -> object:
        asked.append(name)
        return Letters() if name == "letters-26" else embedder

    monkeypatch.setattr("rag.embedder.Embedder", load)
    run(capsys, "add", str(files))
    run(capsys, "reembed", "--embedder", "letters-26", "--chunk-size", "20")
    asked.clear()
    assert run(capsys, "search", "warranty")["hits"]
    assert asked == ["letters-26"]
    assert commands.main(["search", "warranty", "--embedder", "all-MiniLM-L6-v2"]) == 2
    assert "made with the embedder letters@26, not all-MiniLM-L6-v2@" in capsys.readouterr().err


def test_drop_asks_and_leaves_the_files(
    files: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "add", str(files), "--index", "shop")
    assert commands.main(["drop", "--index", "shop"]) == 2
    assert "'shop' was not deleted: nobody is here to be asked; say --yes" in capsys.readouterr().err
    terminal = StringIO("n\ny\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert commands.main(["drop", "--index", "shop"]) == 2
    assert (home / "indexes" / "shop").exists()
    assert run(capsys, "drop", "--index", "shop")["dropped"] == "shop"
    assert list((home / "indexes").iterdir()) == []
    assert (files / "hours.md").exists()
    assert commands.main(["indexes"]) == 0
    assert "no indexes yet" in capsys.readouterr().out


def test_only_bad_files_is_a_failure(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["add", str(files / "bad.txt"), "--json"]) == 2
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["failed"]) == 1
    assert "convert it" in captured.err


def test_remove_needs_a_name_that_means_one_document(
    files: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "hours.md").write_text("Closed.")
    commands.main(["add", str(files), str(tmp_path / "hours.md")])
    capsys.readouterr()
    assert commands.main(["remove", "hours.md"]) == 2
    assert "2 documents end in 'hours.md'" in capsys.readouterr().err
    assert commands.main(["remove", "never.md"]) == 2
    assert "holds no document 'never.md'" in capsys.readouterr().err
    assert commands.main(["remove", str(tmp_path / "hours.md")]) == 0


def test_help_is_quick_and_has_an_example() -> None:
    code = """if True:
        import sys
        from rag.__main__ import main
        try:
            main(["--help"])
        finally:
            assert "torch" not in sys.modules
    """
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "example: python -m rag add" in shown.stdout
    assert "AssertionError" not in shown.stderr


def test_cite_calibrate_and_what_they_print(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", str(files), "--index", "shop")
    answer = "The warranty of the drill lasts three years [1]. It is made of cheese [8]."
    cited = run(capsys, "cite", "How long is the warranty?", "--answer", answer, "--index", "shop")
    assert (cited["supported"], cited["of"]) == (1, 2)
    first, second = cited["sentences"]  # type: ignore[misc]
    assert (first["verdict"], second["verdict"], second["strange"]) == ("supported", "unsupported", [8])
    source = first["source"]
    assert WARRANTY[source["start"] : source["end"]] == WARRANTY
    assert commands.main(["cite", "How long?", "--answer", answer, "--index", "shop", "--words-only"]) == 0
    assert "1 of 2 sentences supported" in capsys.readouterr().out
    assert commands.main(["cite", "How long?", "--answer", " ", "--index", "shop"]) == 2

    asked, foreign = tmp_path / "asked.txt", tmp_path / "foreign.txt"
    asked.write_text("\n".join(f"How long is the warranty of drill {n}?" for n in range(10)))
    foreign.write_text("\n".join(f"What is {n} times the moon?" for n in range(10)))
    options = ("--answerable", str(asked), "--foreign", str(foreign), "--index", "shop")
    floor = run(capsys, "calibrate", *options)["floor"]
    assert isinstance(floor, dict)
    assert floor["false_refusals"]["value"] == floor["false_answers"]["value"] == 0
    assert run(capsys, "calibrate", "--show", "--index", "shop")["floor"] == floor
    assert commands.main(["calibrate", "--show", "--index", "shop"]) == 0
    assert "false refusals   0 % [0, 28] of 10 answerable questions" in capsys.readouterr().out
    assert run(capsys, "calibrate", "--off", "--index", "shop")["floor"] is None
    assert commands.main(["calibrate", "--index", "shop"]) == 2
    assert "There are 2 answerable questions; give at least 10" in capsys.readouterr().err
