"""The board, the forms and the words: complete, escaped, and silent about which answer is whose."""

import re
from dataclasses import replace

from eval.casting import make_vote, read_said
from eval.form import Dimension, Form, Forms, Tag
from eval.variants import IDS
from eval.voting_view import EVERY, board, details, preview, question, said
from eval.workbench import Workbench
from tests.eval.test_comparison import SETUP, answered

EVIL = "<script>alert('x')</script>\"'"


def test_no_two_buttons_share_a_key_or_an_element_in_any_mode() -> None:
    for mode, answers in (("best", 4), ("ranking", 4), ("pair", 2), ("open", 4)):
        offered = [choice for choice in EVERY if choice.fits(mode, answers)]
        assert len({choice.key for choice in offered}) == len(offered)
        letters = [choice.words for choice in offered if choice.value[0].isdigit()]
        assert letters == {"ranking": [], "pair": ["A", "B"] * 2}.get(mode, ["A", "B", "C", "D"] * 2)
        assert [choice.value for choice in offered if choice.value.startswith("r")] == (
            ["ranking+", "ranking-"] if mode == "ranking" else []
        )
    assert len({choice.element for choice in EVERY}) == len(EVERY)


def test_equal_answers_move_as_one(loaded: Workbench) -> None:
    comparison = answered(loaded, replace(SETUP, mode="ranking"))
    texts = dict(zip(comparison.order, ("x", "y", "x", "z"), strict=True))
    comparison.answers = {name: replace(given, text=texts[name]) for name, given in comparison.answers.items()}
    html = board(comparison)
    assert [piece.split("'")[0] for piece in html.split("data-panes='")[1:]] == ["0,2", "1", "3"]
    assert "aria-label='Move A = C up'" in html
    assert "A and C gave the same answer." in question(comparison)


def test_forms_are_complete_and_escaped(loaded: Workbench) -> None:
    comparison = answered(loaded)
    comparison.answers = {name: replace(given, text=EVIL) for name, given in comparison.answers.items()}
    form = Form(EVIL, (Dimension("tone", EVIL, EVIL, 3, EVIL, EVIL),), (Tag("odd", EVIL),))
    assert "<script>" not in preview(form)
    html = details(comparison, form) + board(comparison)
    assert "<script>" not in html
    assert html.count("data-part='comment'") == html.count("data-part='better'") == 4
    assert html.count("name='scores-tone-2'") == 4, "three points and none"
    assert not set(re.findall(r"\w+", html)) & set(IDS), "a form that names a variant gives it away"


def test_the_form_of_the_program_asks_every_dimension(loaded: Workbench) -> None:
    form = Forms(loaded.home).current().form
    html = details(answered(loaded), form)
    for part in (*form.dimensions, *form.tags):
        assert part.name in html


def test_a_vote_in_words_names_panes_and_no_variants(loaded: Workbench) -> None:
    comparison = answered(loaded)
    words = {}
    for button in ("1+", "0-", "tie", "all_good", "all_bad", "skip"):
        words[button] = said(make_vote(comparison, read_said(button, ""), "ab" * 16))
    assert words == {
        "1+": "B is best, and good enough",
        "0-": "A is best, yet not good enough",
        "tie": "Tie",
        "all_good": "All good",
        "all_bad": "All bad",
        "skip": "Skipped",
    }
    comparison.answers = {name: replace(given, text=name) for name, given in comparison.answers.items()}
    ranked = make_vote(comparison, read_said("ranking+", '{"places": [[1], [0, 3], [2]]}'), "ab" * 16)
    assert said(ranked) == "B > A = D > C, and good enough"
