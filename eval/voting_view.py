"""What a rater is asked, as words and HTML: the choices with their keys, the board for a ranking, a form by answer.

Everything is escaped. compare.js moves the board's answers and reads board and forms when a vote is cast; until then
the browser holds what was filled in, so that a vote which could not be saved loses none of it.
"""

from dataclasses import dataclass
from html import escape

from eval.compare_view import LETTERS
from eval.comparison import Comparison
from eval.form import Dimension, Form
from eval.judgement import LONGEST_ANSWER, LONGEST_COMMENT
from eval.vote import Vote


@dataclass(frozen=True)
class Choice:
    """A button: what it says to `casting.read_said`, its words, and the key that compare.js presses it by."""

    value: str
    words: str
    key: str

    @property
    def element(self) -> str:
        return "vote-" + (f"{self.value[:-1]}-poor" if self.value.endswith("-") else self.value.rstrip("+"))

    def fits(self, mode: str, answers: int) -> bool:
        """Whether it is offered in that mode for that many answers."""
        if self.value.startswith("ranking"):
            return mode == "ranking"
        return not self.value[0].isdigit() or (mode != "ranking" and int(self.value[0]) < answers)


CHOICES = {
    "Best, and good enough": (
        *(Choice(f"{pane}+", letter, str(pane + 1)) for pane, letter in enumerate(LETTERS)),
        Choice("ranking+", "Save ranking", "+"),
        Choice("all_good", "All good", "g"),
    ),
    "Best, yet not good enough": (
        *(Choice(f"{pane}-", letter, str(pane + 5)) for pane, letter in enumerate(LETTERS)),
        Choice("ranking-", "Save ranking", "-"),
        Choice("all_bad", "All bad", "x"),
    ),
    "None is best": (Choice("tie", "Tie", "0"), Choice("skip", "Skip", "s")),
}
"""The buttons in rows; what heads a row says the second judgement of each vote."""

EVERY = tuple(choice for row in CHOICES.values() for choice in row)
NO_BEST = {"tie": "Tie", "all_good": "All good", "all_bad": "All bad", "skip": "Skipped"}

ASKED = {
    "best": "Which answer is best, and is it good enough?",
    "pair": "Which of the two is better, and is it good enough?",
    "ranking": "Put the answers in order, the best first, then save: is the first one good enough?",
    "parent": "Which of the two is better, and is it good enough? Kept apart from the results of the four variants.",
    "open": "Which answer is best, and is it good enough? The names are visible: kept out of the results.",
}


def question(comparison: Comparison) -> str:
    """What the rater is asked now."""
    letters = dict(zip(comparison.order, LETTERS, strict=False))
    groups = sorted(sorted(letters[name] for name in group) for group in comparison.identical)
    same = [f" {' and '.join(group)} gave the same answer." for group in groups]
    return ASKED[comparison.mode] + "".join(same)


def said(vote: Vote) -> str:
    """A vote in words that name panes and no variants."""
    letters = dict(zip(vote.order, LETTERS, strict=False))
    if vote.ranking:
        words = " > ".join(" = ".join(letters[name] for name in group) for group in vote.ranking)
    elif vote.choice in NO_BEST:
        return NO_BEST[vote.choice]
    else:
        words = f"{letters[vote.choice]} is best"
    return words + {True: ", and good enough", False: ", yet not good enough", None: ""}[vote.acceptable]


def board(comparison: Comparison) -> str:
    """The answers to be put in order, all in one place at first; answers with the same text move as one."""
    groups = [
        [number for number, name in enumerate(comparison.order) if name in group] for group in comparison.identical
    ]
    alone = [[number] for number in range(len(comparison.order)) if not any(number in group for group in groups)]
    chips = "".join(_chip(chip) for chip in sorted([*groups, *alone]))
    return (
        "<div class='ranking' role='group' aria-label='Ranking, the best first'>"
        "<p>Drag an answer up or down, or use its arrows; on the keyboard, choose one by its number and press ↑ or ↓. "
        "Answers in one row are tied.</p>"
        f"<ol class='places'><li class='place'>{chips}</li></ol><p class='said' aria-live='polite'></p></div>"
    )


def _chip(panes: list[int]) -> str:
    name = " = ".join(LETTERS[pane] for pane in panes)
    arrows = "".join(
        f"<button type='button' data-move='{way}' aria-label='Move {name} {way}'>{sign}</button>"
        for way, sign in (("up", "▲"), ("down", "▼"))
    )
    numbers = ",".join(map(str, panes))
    return f"<span class='chip' tabindex='0' role='group' data-panes='{numbers}'><b>{name}</b>{arrows}</span>"


def details(comparison: Comparison, form: Form) -> str:
    """A form for each answer, under its letter."""
    guidance = f"<p class='guidance'>{escape(form.guidance)}</p>" if form.guidance else ""
    answers = "".join(_answer(pane, comparison.answers[name].text, form) for pane, name in enumerate(comparison.order))
    return f"{guidance}<div class='judgements'>{answers}</div>"


def preview(form: Form) -> str:
    """What raters see of a form, for one answer."""
    return f"<p class='guidance'>{escape(form.guidance)}</p><div class='judgements'>{_answer(0, '', form)}</div>"


def _answer(pane: int, text: str, form: Form) -> str:
    letter = LETTERS[pane]
    thumb = _options(pane, "thumb", "", "Thumb", [("up", "👍 good"), ("down", "👎 bad")])
    scores = "".join(_dimension(pane, dimension) for dimension in form.dimensions)
    tags = "".join(
        f"<label><input type='checkbox' data-part='tags' value='{tag.id}'> {escape(tag.name)}</label>"
        for tag in form.tags
    )
    marks = f"<fieldset><legend>Tags</legend>{tags}</fieldset>" if tags else ""
    return (
        f"<section data-pane='{pane}' aria-label='Answer {letter}'><h4>{letter}</h4>{thumb}{scores}{marks}"
        f"<label>Comment<textarea data-part='comment' rows='2' maxlength='{LONGEST_COMMENT}'></textarea></label>"
        f"<label>Edit it into a better answer<textarea data-part='better' rows='4' maxlength='{LONGEST_ANSWER}'>"
        f"\n{escape(text)}</textarea></label></section>"
    )


def _dimension(pane: int, dimension: Dimension) -> str:
    ends = {1: dimension.low, dimension.points: dimension.high}
    points = [(str(n), f"{n} {ends.get(n, '')}".strip()) for n in range(1, dimension.points + 1)]
    asked = f": {dimension.question}" if dimension.question else ""
    return _options(pane, "scores", dimension.id, dimension.name + asked, points)


def _options(pane: int, part: str, name: str, legend: str, options: list[tuple[str, str]]) -> str:
    """Radio buttons of which the first leaves it open, for that `part` of the judgement."""
    buttons = "".join(
        f"<label><input type='radio' name='{part}-{name}-{pane}' data-part='{part}' data-id='{name}' value='{value}'"
        f"{'' if value else ' checked'}> {escape(words)}</label>"
        for value, words in [("", "–"), *options]
    )
    return f"<fieldset><legend>{escape(legend)}</legend>{buttons}</fieldset>"
