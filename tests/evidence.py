"""`make evidence`: which of the four wins on which kind of question, written to docs/evidence.md with its plots.

Every figure comes from the commands that a user has: `rag add`, `rag calibrate`, `tuning train`, `eval benchmark`,
`eval verdict`. All is kept under data/local/evidence/seed-N, so that a stopped run goes on where it was; `--fresh`
begins anew. Another seed than 0 has a page of its own there: other splits, orders of training and samples.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.workbench import SAMPLES, sample_questions
from rag.calibration import GENERAL, read_questions
from tests.bench.squad import DATA, squad_rows
from tests.evidence_page import GROUNDED, PLAIN, Set, page, plot

REPO = Path(__file__).resolve().parent.parent
LOCAL = REPO / "data" / "local"
SHOTS = {GROUNDED: ("0", "3"), PLAIN: ("0",)}
"""Examples in the prompt; what they bring the bare base and retrieval does not depend on the adapter."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evidence", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs computed")
    parser.add_argument("--seed", type=int, default=0, help="of splits, training and sampling (default 0)")
    options = parser.parse_args()
    evidence = Evidence(LOCAL / "evidence" / f"seed-{options.seed}", options.seed)
    if options.fresh:
        shutil.rmtree(evidence.home, ignore_errors=True)
    evidence.home.mkdir(parents=True, exist_ok=True)
    for name in ("base", "compiled"):  # made once for all
        (LOCAL / name).mkdir(parents=True, exist_ok=True)
        if not (evidence.home / name).exists():
            (evidence.home / name).symlink_to(LOCAL / name)
    sets = [evidence.samples(), *([evidence.squad()] if DATA.is_file() else [])]
    found = [(one, {how: evidence.benchmark(one, how) for how in one.adapters}) for one in sets]
    folder = evidence.home if options.seed else REPO / "docs"
    lines = page(found, options.seed, evidence.minutes())
    (folder / "evidence.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for one, results in found:
        plot(one, results, folder)
    sys.stdout.write(f"{folder.relative_to(REPO)}/evidence.md: {evidence.minutes():.0f} minutes in all its runs\n")


@dataclass(frozen=True)
class Evidence:
    """What is measured with one seed, and where it is kept."""

    home: Path
    seed: int

    def samples(self) -> Set:
        """The made-up domain, with its tracked adapter and one trained on the same rows without passages."""
        self.run("rag", "add", str(SAMPLES / "documents"), "--index", "samples")
        self.calibrate()
        self.train(PLAIN, SAMPLES / "rows.jsonl", "--rank", "8", "--alpha", "16")
        return Set(
            "samples",
            "the made-up domain of data/samples: 182 questions of seven kinds, passages searched",
            ("holds", "rouge_l"),
            (
                *(str(SAMPLES / "benchmark.jsonl"), "--index", "samples", "--trained-too"),
                *("--train", str(SAMPLES / "rows.jsonl")),
            ),
            {GROUNDED: "samples", PLAIN: PLAIN},
        )

    def squad(self) -> Set:
        """SQuAD's questions on articles that no training row touches, each with its passage and one of another."""
        rows = list(squad_rows(self.seed))
        full = self.written("squad", rows)
        bare = self.written("squad-bare", [{key: row[key] for key in row if key != "passages"} for row in rows])
        settings = ("--epochs", "1", "--patience", "0", "--learning-rate", "1e-3")
        self.train("squad-grounded", full, "--max-length", "2048", *settings)
        self.train("squad-plain", bare, *settings)
        return Set(
            "squad",
            "120 questions on SQuAD passages of articles that were not trained on, the right passage and another given",
            ("f1", "holds"),
            (str(full), "--passages", "given"),
            {GROUNDED: "squad-grounded", PLAIN: "squad-plain"},
        )

    def calibrate(self) -> None:
        """As the app does at its first start: by questions that were trained on, so that those asked choose nothing."""
        answerable, foreign = sample_questions()
        parts = {"answerable": answerable, "foreign": foreign + read_questions(GENERAL)}
        given: list[str] = []
        for name, questions in parts.items():
            path = self.home / f"{name}.txt"
            path.write_text("\n".join(questions), encoding="utf-8")
            given += [f"--{name}", str(path)]
        self.run("rag", "calibrate", "--index", "samples", *given)

    def written(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        path = self.home / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def train(self, name: str, rows: Path, *options: str) -> None:
        if not (self.home / "adapters" / name).exists():
            self.run("tuning", "train", str(rows), "--name", name, "--no-assess", "--seed", str(self.seed), *options)

    def benchmark(self, one: Set, how: str) -> dict[str, Any]:
        out = self.home / f"{one.name}-{how}.json"
        options = ("--adapter", one.adapters[how], "--shots", *SHOTS[how], "--most", "200", "--seed", str(self.seed))
        self.run("eval", "benchmark", *one.options, *options, "--name", out.stem, "--json", str(out))
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        result["verdict"] = self.run("eval", "verdict", "--benchmark", out.stem, "--metric", one.metrics[0], "--json")
        return result

    def run(self, *command: str) -> dict[str, Any]:
        """What one of the program's commands prints as JSON, where it does; its seconds are noted."""
        sys.stderr.write(f"python -m {' '.join(command)}\n")
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=REPO,
            env={**os.environ, "FOURFOLD_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        with self._times.open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic() - began:.1f}\t{' '.join(command[:2])}\n")
        if done.returncode:
            raise SystemExit(f"python -m {' '.join(command)} ended with status {done.returncode}")
        last = done.stdout.strip().splitlines()[-1:] or [""]
        return dict(json.loads(last[0])) if last[0].startswith("{") else {}

    def minutes(self) -> float:
        """That all commands have taken, those of stopped runs too."""
        return sum(float(line.split("\t")[0]) for line in self._times.read_text(encoding="utf-8").splitlines()) / 60

    @property
    def _times(self) -> Path:
        return self.home / "times.tsv"


if __name__ == "__main__":
    main()
