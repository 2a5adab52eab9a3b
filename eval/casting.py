"""What a rater said of a comparison -> the vote. What comes from a page is checked here, since anyone can send it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eval.comparison import Comparison
from eval.errors import InputError
from eval.form import Version
from eval.judgement import Judgement
from eval.proofs import counts
from eval.vote import NO_WINNER, Vote, first_of

LONGEST_SAID = 500_000
"""Characters of all that a rater says of one comparison."""
ACCEPTABLE = {"all_good": True, "all_bad": False}
"""What a choice says by itself of whether the best is acceptable."""


@dataclass(frozen=True)
class Said:
    """One rater's words on one comparison, by the numbers of the panes from 0."""

    choice: str
    """The number of a pane, `ranking`, or one of `NO_WINNER`."""
    acceptable: bool | None = None
    """Is the best good enough? Left open in a tie."""
    places: tuple[tuple[int, ...], ...] = ()
    """Groups of equals, the best first; counts where the choice is `ranking`."""
    judgements: Mapping[int, Judgement] = field(default_factory=dict)


def read_said(button: str, details: str) -> Said:
    """What a button and the page's form say.

    `button` is a choice, with `+` or `-` after it where it says whether the best is acceptable. `details` is JSON:
    {"places": [[0], [1, 2]], "answers": {"0": {"thumb", "scores", "tags", "comment", "better"}}}.
    """
    choice, sign = (button[:-1], button[-1]) if button[-1:] in ("+", "-") else (button, "")
    if len(details) > LONGEST_SAID:
        raise InputError(f"Comments and edited answers have more than {LONGEST_SAID} characters; shorten them.")
    try:
        given = json.loads(details or "{}")
        places = tuple(tuple(int(pane) for pane in group) for group in given.get("places", ()))
        judgements = {int(pane): _judgement(parts) for pane, parts in given.get("answers", {}).items()}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError("The form of this page could not be read; reload the page and vote again.") from error
    acceptable = {"+": True, "-": False}.get(sign, ACCEPTABLE.get(choice))
    return Said(choice, acceptable, places, {pane: given for pane, given in judgements.items() if given})


def _judgement(parts: Mapping[str, Any]) -> Judgement:
    return Judgement(
        thumb={"up": True, "down": False}.get(parts.get("thumb", "")),
        scores={str(name): int(score) for name, score in parts.get("scores", {}).items()},
        tags=tuple(dict.fromkeys(str(tag) for tag in parts.get("tags", ()))),
        comment=str(parts.get("comment", "")).strip(),
        better=str(parts.get("better", "")).strip(),
    )


def make_vote(comparison: Comparison, said: Said, rater: str, form: Version | None = None) -> Vote:
    """The vote that `said` is. Raises `InputError` if it is too early, too late, or not what was asked."""
    if not comparison.done or len(comparison.answers) < len(comparison.order):
        raise InputError("The answers are not finished yet; vote when all are.")
    if comparison.voted:
        raise InputError("This comparison has its vote and its answers are revealed; ask the next question.")
    answers, order = comparison.answers, comparison.order
    ranking = _ranking(comparison, said.places) if said.choice == "ranking" else ()
    finished = {variant: given.finished for variant, given in answers.items()}
    return Vote(
        comparison=comparison.id,
        conversation=comparison.conversation.id,
        turn=comparison.conversation.turn,
        question=comparison.question,
        prompts={variant: [dict(m) for m in request.messages] for variant, request in comparison.requests.items()},
        answers={variant: given.text for variant, given in answers.items()},
        order=order,
        choice=first_of(ranking) if ranking else _choice(comparison, said.choice),
        ranking=ranking,
        acceptable=said.acceptable,
        identical=comparison.identical,
        rater=rater,
        mode=comparison.mode,
        blind=comparison.blind,
        judgements=_judgements(comparison, said.judgements, form),
        form=form.digest if form and said.judgements else "",
        campaign=comparison.campaign,
        prompt_id=comparison.prompt_id,
        task=comparison.task,
        configuration={
            **comparison.configuration,
            "finished": finished,
            "supported_sentences": counts(comparison.proofs),
        },
        tokens={variant: given.tokens for variant, given in answers.items()},
        first_token_seconds={variant: given.first_token_seconds for variant, given in answers.items()},
        seconds={variant: given.seconds for variant, given in answers.items()},
        dwell_seconds=max(0.0, time.time() - comparison.finished_at),
        app_version=app_version(),
    )


def _choice(comparison: Comparison, choice: str) -> str:
    """The variant of a pane, or the choice that names none."""
    panes = {str(number): variant for number, variant in enumerate(comparison.order)}
    if choice not in panes and choice not in NO_WINNER:
        raise InputError(f"{choice!r} is not among the choices of this page; reload it and vote again.")
    return panes.get(choice, choice)


def _ranking(comparison: Comparison, places: tuple[tuple[int, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The variants of the panes, place by place."""
    panes = [pane for group in places for pane in group]
    if sorted(panes) != list(range(len(comparison.order))) or not all(places):
        raise InputError("The ranking does not hold each answer once; put every answer in its place and save again.")
    if len(places) == 1:
        raise InputError("All answers share one place; move at least one of them, or vote for a tie.")
    ranking = tuple(tuple(comparison.order[pane] for pane in group) for group in places)
    place = {variant: number for number, group in enumerate(ranking) for variant in group}
    if any(len({place[variant] for variant in group}) > 1 for group in comparison.identical):
        raise InputError("Answers with the same text have different places; give them the same one.")
    return ranking


def _judgements(comparison: Comparison, given: Mapping[int, Judgement], form: Version | None) -> dict[str, Judgement]:
    """By variant. An edited answer that is the answer itself says nothing."""
    kept = {}
    for pane, judgement in given.items():
        if not 0 <= pane < len(comparison.order):
            raise InputError("An answer is judged that is not on this page; reload it and vote again.")
        if form is None and judgement.uses_form:
            raise InputError("Scores and tags need the rating form; reload the page and vote again.")
        if form is not None:
            form.form.check(judgement)
        variant = comparison.order[pane]
        if judgement.better == comparison.answers[variant].text.strip():
            judgement = replace(judgement, better="")
        if judgement:
            kept[variant] = judgement
    return kept


def app_version() -> str:
    try:
        return version("fourfold")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
