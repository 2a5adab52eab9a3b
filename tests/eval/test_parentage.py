"""What the page sets an adapter against, and how a vote on the two comes about."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from eval.casting import Said, make_vote
from eval.compare_tab import Compare
from eval.compare_view import evidence, pane_labels
from eval.comparison import prepare
from eval.errors import InputError
from eval.followup_tab import offered
from eval.limits import Limits
from eval.setup import shown
from eval.setup_tab import pairs, read_settings
from eval.vote_rules import check
from eval.votes import Votes, database_url
from eval.workbench import Workbench
from tests.eval.test_comparison import QUESTION, SETUP, answered

AGAINST = replace(SETUP, mode="parent", pair=("base", "tuned"))


def make_child(samples: Path, home: Path, name: str = "child", parent: str = "ab" * 32) -> None:
    """An adapter that says that it goes on from the sample one."""
    folder = home / "adapters" / name
    shutil.copytree(samples / "adapter" / "samples", folder)
    card = json.loads((folder / "fourfold.json").read_text())
    card |= {"weights_sha256": "cd" * 32, "lineage": [{"name": "was called so", "digest": parent}]}
    (folder / "fourfold.json").write_text(json.dumps(card))


def test_a_child_and_its_parent_answer_the_same_prompt(loaded: Workbench, samples: Path, home: Path) -> None:
    make_child(samples, home)
    comparison = answered(loaded, replace(AGAINST, adapter="child"))
    assert {name: request.adapter for name, request in comparison.requests.items()} == {
        "base": "samples",
        "tuned": "child",
    }
    assert len({str(request.messages) for request in comparison.requests.values()}) == 1
    vote = make_vote(comparison, Said("0", True), "ab" * 16)
    check(vote)
    assert (vote.mode, vote.blind) == ("parent", True)
    assert vote.configuration["adapter"] == {"name": "child", "digest": "cd" * 32}
    assert vote.configuration["parent"] == {"name": "samples", "digest": "ab" * 32}
    grounded = prepare(loaded, QUESTION, replace(AGAINST, adapter="child", pair=("rag", "combined")))
    assert {name: request.adapter for name, request in grounded.requests.items()} == {
        "rag": "samples",
        "combined": "child",
    }


def test_the_parent_of_an_adapter_of_its_own_is_the_base(loaded: Workbench) -> None:
    comparison = answered(loaded, AGAINST)
    base = loaded.engine().base
    assert comparison.requests["base"].adapter is None
    assert comparison.configuration["parent"] == {"name": base.name, "digest": base.digest}
    check(make_vote(comparison, Said("tie"), "ab" * 16))


def test_a_parent_that_is_gone_is_named(loaded: Workbench, samples: Path, home: Path) -> None:
    make_child(samples, home, parent="99" * 32)
    with pytest.raises(InputError, match=r"The parent of child, was called so \(99999999\), is not here any more; put"):
        prepare(loaded, QUESTION, replace(AGAINST, adapter="child"))


def test_with_or_without_the_documents_is_drawn_and_so_is_the_side() -> None:
    drawn = Counter(shown(replace(AGAINST, pair=())) for _ in range(200))
    assert set(drawn) == {("base", "tuned"), ("tuned", "base"), ("rag", "combined"), ("combined", "rag")}
    for _, value in pairs("parent"):
        read = read_settings("a", "i", 3, 0, 16, 0, "parent", value, True, False)
        assert len(shown(read)) == 2
    with pytest.raises(InputError, match="with or without the documents"):
        shown(replace(AGAINST, pair=("base", "rag")))


def test_nothing_tells_the_two_apart_before_the_vote_and_all_after(
    loaded: Workbench, samples: Path, home: Path
) -> None:
    make_child(samples, home)
    compare = Compare(loaded, Votes(database_url(home)), Limits())
    given = ["child", "samples", 1, 0, 8, 0, "parent", "rag,combined", True, False, None]
    comparison, *opened = compare.begin(QUESTION, *given)
    for _ in compare.stream(comparison, gr.Request(headers={}, client=None)):  # type: ignore[call-arg]
        pass
    asked = compare.finish(comparison)
    assert "Which of the two is better" in asked[0]
    before = str([update.get("label") for update in opened[:4]]) + str(asked)
    assert not any(word in before for word in ("child", "samples", "combined", "rag"))
    assert [update["visible"] for update in opened[:4]] == [True, True, False, False]
    compare.voting.vote("0+", comparison, "ab" * 16, "", False)
    names = {"rag": "parent: samples", "combined": "adapter: child"}
    expected = [f"{letter} · {names[variant]}" for letter, variant in zip("AB", comparison.order, strict=True)]
    assert pane_labels(comparison, revealed=True) == expected
    assert "Passages given to both" in evidence(comparison)
    assert "<td>parent</td>" in evidence(comparison)
    assert {words[4:] for words, _ in offered(comparison)[0]["choices"]} <= {"adapter", "parent"}
    (vote,) = compare.votes.votes()
    assert vote.mode == "parent"
