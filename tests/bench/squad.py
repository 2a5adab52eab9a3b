"""Retrieval-aware tuning on SQuAD's passages: token F1 of answers to questions on articles that were not trained on.

800 rows to train on, 24 to validate, 120 to test, split by article; each has its passage and one from another article,
in an order of its own, on the prompt of chat time. One epoch with the settings of `CONFIG`. A round is another split.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.loading import log, make_base
from tests.conftest import REPO
from tuning.config import TrainConfig
from tuning.dialogues import load
from tuning.engine import Engine
from tuning.request import Request, Sampling
from tuning.rows import Row
from tuning.scores import accepted, exact_match, token_f1
from tuning.train import train

DATA = REPO.parent / "shared" / "data" / "squad_xquad_en" / "xquad.en.json"
WANTED = {"test": 120, "validation": 24, "train": 800}
CONFIG = TrainConfig(epochs=1, patience=0, max_length=2048, learning_rate=1e-3, schedule="averaged")
AT_ONCE = 30


def measure(rounds: int) -> dict[str, Any]:
    """F1 and exact match of base and adapter in percent, and the seconds of training."""
    if not DATA.is_file():
        raise SystemExit(f"no {DATA.name} beside this repository (shared/data/squad_xquad_en)")
    found = [one(number) for number in range(rounds)]
    medians = {key: statistics.median(result[key] for result in found) for key in found[0]}
    return {"ratio": medians["f1"] / medians["base_f1"], "medians": medians, "all": found, "rounds": rounds}


def one(seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "squad.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in squad_rows(seed)), encoding="utf-8")
        base = make_base()
        data = load(path, base.tokenizer, CONFIG.max_length, seed)
        start = time.monotonic()
        adapter = train(base, data, CONFIG, "squad", Path(folder), Path(folder) / "work", told)
        seconds = time.monotonic() - start
        engine = Engine(base)
        engine.attach("squad", adapter.path)
        result = {"seconds": round(seconds, 1), "test_rows": len(data.splits.test)}
        for prefix, name in (("", "squad"), ("base_", None)):
            f1, match = scores(engine, name, data.splits.test)
            result |= {prefix + "f1": round(f1, 2), prefix + "exact_match": round(match, 2)}
        log(json.dumps(result))
        return result


def scores(engine: Engine, adapter: str | None, rows: Sequence[Row]) -> tuple[float, float]:
    """Mean token F1 and exact match of greedy answers, in percent."""
    answers: list[str] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        requests = [Request(row.grounded[:-1], adapter, Sampling(max_tokens=32, temperature=0)) for row in part]
        *_, last = engine.stream(requests)
        answers += [answer.text for answer in last]
    pairs = [(answer, accepted(row)) for answer, row in zip(answers, rows, strict=True)]
    return tuple(100 * statistics.mean(score(*pair) for pair in pairs) for score in (token_f1, exact_match))  # type: ignore[return-value]


def squad_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Rows as `tuning train` reads them; whole articles go to one split, the test's first."""
    articles = json.loads(DATA.read_text(encoding="utf-8"))["data"]
    chance, wanted = random.Random(seed), dict(WANTED)
    chance.shuffle(articles)
    for number, article in enumerate(articles):
        part = next((name for name, count in wanted.items() if count > 0), None)
        others = [paragraph for other in articles if other is not article for paragraph in other["paragraphs"]]
        for paragraph in article["paragraphs"]:
            passages = [paragraph["context"], chance.choice(others)["context"]]
            for question in paragraph["qas"]:
                if part is None or wanted[part] == 0:
                    break
                wanted[part] -= 1
                yield {
                    "id": question["id"],
                    "prompt": question["question"],
                    "response": question["answers"][0]["text"],
                    "answers": [answer["text"] for answer in question["answers"]],
                    "passages": [{"id": f"article {number}", "text": text} for text in passages],
                    "source": f"article {number}",
                    "split": part,
                }


def told(event: dict[str, Any]) -> None:
    if event["event"] in ("estimate", "validation") or (event["event"] == "step" and event["step"] % 10 == 0):
        log(json.dumps({key: value for key, value in event.items() if key in ("event", "step", "loss", "seconds")}))
