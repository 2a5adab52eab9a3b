"""The check of citations on everyday answers: true sentences of the sample rows, and the same with the fact exchanged.

A fact is exchanged for that of another row of the same document, so that all words but the fact stay right. The
passages are the three that a search finds for the row's question.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from rag.citations import Encoder, Evidence, supported_of
from rag.embedder import Embedder
from rag.index import Index
from rag.shares import share
from tests.conftest import REPO

SAMPLES = REPO / "data" / "samples"
STYLE = re.compile(r"^Ollerquist here:\s*|\s*Grow well!$")


def measure(rounds: int) -> dict[str, Any]:
    """Shares of sentences called supported, with 95 % intervals, by words alone and with meaning."""
    pairs = exchanged()
    with tempfile.TemporaryDirectory() as folder:
        embedder = Embedder()
        index = Index(Path(folder), embedder)
        index.add((file.name, file.read_bytes()) for file in sorted((SAMPLES / "documents").iterdir()))
        found = [(index.search(question, 3), true, false) for question, true, false in pairs]
    ways: dict[str, Encoder | None] = {"words": None, "meaning": embedder}
    result: dict[str, Any] = {"sentences": len(pairs)}
    for name, encoder in ways.items():
        counts = {"true_supported": 0, "false_supported": 0}
        for hits, true, false in found:
            evidence = Evidence(hits, encoder)
            for key, text in (("true_supported", true), ("false_supported", false)):
                supported, of = supported_of(evidence.check(text))
                counts[key] += supported == of
        result[name] = {key: share(count, len(found)) for key, count in counts.items()}
    return result


def exchanged() -> list[tuple[str, str, str]]:
    """Question, true answer and false answer of every row whose answer states its fact in the accepted words."""
    lines = (SAMPLES / "rows.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["task"] == "fact"]
    found = []
    for row in rows:
        true, fact = STYLE.sub("", row["response"]), row["answers"][0]
        other = next(
            (
                one["answers"][0]
                for one in rows
                if one["source"] == row["source"] and not set(one["answers"]) & set(row["answers"])
            ),
            None,
        )
        if other and fact in true:
            found.append((row["prompt"], true, true.replace(fact, other)))
    return found
