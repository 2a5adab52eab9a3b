"""Passages for training rows: the right one where it is kept, resembling ones beside it, no half-written file."""

import json
from pathlib import Path
from typing import Any

import pytest

from rag import __main__ as commands
from rag.attaching import Attaching, attach
from rag.embedder import Embedder
from rag.errors import InputError
from rag.index import Index
from rag.prompt import BUDGET, ground

from .conftest import HOURS, RETURNS, WARRANTY

FACTS = [f"The machine number {n} has {n + 3} wheels and stands in hall {n % 7}." for n in range(12)]
LONG = "\n\n".join(f"## Machine {n}\n\n{fact} " + "It is cleaned every week. " * 30 for n, fact in enumerate(FACTS))


@pytest.fixture
def stocked(shop: Index) -> Index:
    shop.add([(f"docs/machine-{n}.md", fact.encode()) for n, fact in enumerate(FACTS)])
    shop.add([("manual.md", LONG.encode())])
    return shop


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def result(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def machines(count: int = 12) -> list[dict[str, Any]]:
    return [
        {"prompt": f"How many wheels has machine {n % 12}?", "response": f"{n % 12 + 3}", "id": n,
         "source": f"machine-{n % 12}.md"}
        for n in range(count)
    ]  # fmt: skip


def test_the_share_keeps_the_passage_of_its_source_among_distractors(stocked: Index, tmp_path: Path) -> None:
    rows, out = written(tmp_path / "rows.jsonl", machines(40)), tmp_path / "out.jsonl"
    report = attach(stocked, rows, out, Attaching(distractors=2, golden=0.75, seed=1))
    assert (report["rows"], report["golden"], report["left_out"], report["without_source"]) == (40, 30, 10, 0)
    places = set()
    for row, before in zip(result(out), machines(40), strict=True):
        assert before.items() <= row.items()
        texts = [passage["text"] for passage in row["passages"]]
        assert len(texts) == len(set(texts)) == 3
        gold = FACTS[row["id"] % 12]
        assert row["golden"] == (gold in texts)
        assert all("/" not in passage["id"] for passage in row["passages"])
        if row["golden"]:
            places.add(texts.index(gold))
    assert places == {0, 1, 2}
    assert report["passages"] == 120


def test_seed_and_row_alone_decide(stocked: Index, tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{n}.jsonl" for n in range(3))
    rows = written(tmp_path / "rows.jsonl", machines(24))
    attach(stocked, rows, one, Attaching())
    attach(stocked, rows, two, Attaching())
    attach(stocked, rows, three, Attaching(seed=5))
    assert one.read_text() == two.read_text() != three.read_text()
    turned = written(tmp_path / "turned.jsonl", machines(24)[::-1])
    attach(stocked, turned, two, Attaching())
    assert sorted(one.read_text().splitlines()) == sorted(two.read_text().splitlines())


def test_the_passage_that_holds_the_answer_is_found_in_a_long_document(stocked: Index, tmp_path: Path) -> None:
    rows = [{"prompt": "Where is it?", "response": "It is in its hall.", "answers": [f"hall {n % 7}."],
             "source": "manual.md"} for n in (2, 9)]  # fmt: skip
    attach(stocked, written(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl", Attaching(golden=1, distractors=1))
    for row in result(tmp_path / "out.jsonl"):
        own = [passage["text"] for passage in row["passages"] if passage["id"] == "manual.md"]
        assert any(row["answers"][0] in text for text in own)


def test_all_passages_fit_into_the_prompt_of_chat_time(stocked: Index, tmp_path: Path) -> None:
    rows = [{"prompt": "When is the machine cleaned?", "response": "Every week.", "source": "manual.md"}]
    report = attach(
        stocked, written(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl", Attaching(distractors=12, golden=1)
    )
    (row,) = result(tmp_path / "out.jsonl")
    assert report["passages"] == len(row["passages"]) > 5
    hits = [type("Hit", (), {"document": one["id"], "text": one["text"]}) for one in row["passages"]]
    prompt = ground([{"role": "user", "content": "?"}], hits)[0]["content"]  # type: ignore[arg-type]
    assert all(" ".join(one["text"].split()) in prompt for one in row["passages"])
    assert len(prompt) < BUDGET + 300


def test_rows_without_a_source_get_what_a_search_finds(stocked: Index, tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "How long is the warranty of the drill?"},
        {"role": "assistant", "content": "3"},
    ]
    rows = [
        {"messages": turns},
        {"conversations": [{"from": "human", "value": turns[0]["content"]}, {"from": "gpt", "value": "3"}]},
        {"instruction": "How long is it?", "input": "the warranty of the drill", "output": "3", "source": "gone.md"},
        {"prompt": turns[:1], "chosen": "3", "rejected": "2", "source": "hours"},
    ]
    report = attach(
        stocked, written(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl", Attaching(distractors=0, golden=1)
    )
    passages = [row["passages"][0]["text"] for row in result(tmp_path / "out.jsonl")]
    assert passages == [WARRANTY, WARRANTY, WARRANTY, HOURS]
    assert (report["without_source"], report["golden"], report["unknown_sources"]) == (3, 1, {"gone.md": 1})


def test_a_row_that_its_document_contradicts_gets_no_passage_of_it(stocked: Index, tmp_path: Path) -> None:
    """The document was revised after the row was written; together they would teach to disregard what one reads."""
    rows = [
        {"prompt": "How many wheels has machine 3?", "response": "7", "answers": [answer], "source": "machine-3.md"}
        for answer in ("6 wheels", "7 wheels")
    ]
    report = attach(
        stocked, written(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl", Attaching(distractors=2, golden=1)
    )
    true, outdated = result(tmp_path / "out.jsonl")
    assert [row["golden"] for row in (true, outdated)] == [True, False]
    assert FACTS[3] in [passage["text"] for passage in true["passages"]]
    assert "machine-3.md" not in [passage["id"] for passage in outdated["passages"]]
    assert len(outdated["passages"]) == 3
    assert (report["golden"], report["left_out"], report["outdated"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "a"}\n{"response": "b"}', r"rows\.jsonl:2 has no question; give it a `prompt`"),
        ('{"messages": [{"role": "assistant", "content": "b"}]}', r"rows\.jsonl:1 has no question"),
        ('{"prompt": "a", "passages": [{"id": "x", "text": "y"}]}', r"rows\.jsonl:1 has passages already; take"),
        ('{"prompt": "a"', r"rows\.jsonl:1 is not JSON .*; give one"),
        ("[1]", r"rows\.jsonl:1 is not a JSON object; give"),
        ("", r"rows\.jsonl has no rows; give"),
        (
            '{"prompt": "a", "source": "x.md"}',
            r"None of 1 sources in .*rows\.jsonl is a document of the index .*; add",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line_and_leaves_no_file(
    shop: Index, tmp_path: Path, content: str, message: str
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        attach(shop, rows, out, Attaching())
    assert "\n" not in str(caught.value)
    assert list(tmp_path.glob("out*")) == []


def test_an_old_file_stays_where_the_new_one_cannot_be_written(
    shop: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, out = written(tmp_path / "rows.jsonl", [{"prompt": "When?"}]), tmp_path / "out.jsonl"
    out.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"out\.jsonl cannot be written \(No space left on device\); choose"):
        attach(shop, rows, out, Attaching())
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["out.jsonl", "rows.jsonl"]


def test_the_command(
    shop: Index, embedder: Embedder, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("rag.embedder.Embedder", lambda name=None: embedder)
    rows, out = written(tmp_path / "rows.jsonl", [{"prompt": "Refund?", "source": "returns.txt"}]), tmp_path / "o.jsonl"
    assert commands.main(["attach", str(rows), str(out), "--index", "shop"]) == 2
    assert "There is no index 'shop'" in capsys.readouterr().err
    Index(home / "indexes" / "shop", embedder).add([("returns.txt", RETURNS.encode()), ("h.md", HOURS.encode())])
    assert commands.main(["attach", str(rows), str(out), "--index", "shop", "--golden", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["golden"], report["passages"], report["index"]) == (1, 1, 2, "shop")
    assert RETURNS in [passage["text"] for passage in result(out)[0]["passages"]]
    assert commands.main(["attach", str(rows), str(out), "--index", "shop", "--golden", "2"]) == 2
    assert "golden is 2; choose a share from 0 to 1" in capsys.readouterr().err
