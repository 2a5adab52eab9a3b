"""The loop closes: votes teach an adapter, which is then set blind against the one that was voted on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eval.__main__ import main as eval_main
from eval.casting import Said, make_vote
from eval.comparison import Comparison, answer, prepare
from eval.matches import matches
from eval.results import report
from eval.votes import Votes, database_url
from eval.workbench import Workbench
from tests.eval.conftest import copy_adapter
from tests.eval.test_comparison import SETUP
from tuning.__main__ import main as tuning_main
from tuning.adapters import find_adapter

pytestmark = pytest.mark.slow

RATER = "ab" * 16
QUESTIONS = [f"What is kept at place {number} of the harbour?" for number in range(20)]


def last_object(text: str) -> dict:
    return json.loads(text.splitlines()[-1])  # type: ignore[no-any-return]


def voted(workbench: Workbench, log: Votes, question: str, best: str, setup: object) -> Comparison:
    comparison = prepare(workbench, question, setup)  # type: ignore[arg-type]
    for _ in answer(workbench, comparison):
        pass
    log.append(make_vote(comparison, Said(str(comparison.order.index(best)), True), RATER))
    log.reveal(comparison.id)
    return comparison


def test_votes_teach_an_adapter_that_is_set_against_its_parent(
    loaded: Workbench, samples: Path, tiny_base_path: Path, home: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    copy_adapter(samples, home, "house")
    card = home / "adapters" / "house" / "fourfold.json"
    base = {"base": str(tiny_base_path), "base_digest": loaded.engine().base.digest}
    card.write_text(json.dumps(json.loads(card.read_text()) | base))
    log = Votes(database_url(home))
    setup = replace(SETUP, adapter="house", temperature=1.0)
    for number, question in enumerate(QUESTIONS):
        voted(loaded, log, question, "tuned", replace(setup, seed=number))

    rows = tmp_path / "preferred.jsonl"
    assert eval_main(["export", "--format", "dpo", str(rows), "--json"]) == 0
    assert last_object(capsys.readouterr().out)["report"]["sources"] == len(rows.read_text().splitlines()) == 20
    how = ["--method", "dpo", "--from", "house", "--base", str(tiny_base_path), "--epochs", "3", "--batch-size", "4",
           "--precision", "float32", "--no-assess", "--no-sweep", "--learning-rate", "0.01"]  # fmt: skip
    assert tuning_main(["train", str(rows), "--name", "child", *how, "--json"]) == 0
    assert last_object(capsys.readouterr().out)["adapter"] == "child"
    house, child = (find_adapter(name, home / "adapters") for name in ("house", "child"))
    assert child.card["lineage"][0] == {"name": "house", "digest": house.digest}
    assert child.digest != house.digest

    against = replace(setup, adapter="child", mode="parent", pair=("base", "tuned"))
    for number, question in enumerate(QUESTIONS[:12]):
        comparison = voted(loaded, log, question, "tuned" if number % 4 else "base", replace(against, seed=number))
        assert {request.adapter for request in comparison.requests.values()} == {"house", "child"}
    (row,) = matches(log.ballots())
    assert (row.adapter, row.parent, row.won, row.lost + row.tied) == ("child", "house", 9, 3)
    assert "child over house" in report(log.ballots())
    assert eval_main(["rank", "--json"]) == 0
    told = last_object(capsys.readouterr().out)
    assert told["votes"] == 20, "the votes on the parent are none on the four variants"
    assert told["parents"][0]["parent_digest"] == house.digest
    log.close()
