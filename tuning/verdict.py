"""An assessment -> keep, don't keep, or not measured, with the reasons in words.

The rule:

1. It helped where, on the rows that it never saw, the token F1 of the short answers rose, or, failing a clear change
   of that, the loss of the answers fell: by an interval that excludes zero. A clear fall of F1 outweighs a better loss.
   Where the rows are preferences or feedback, what counts first is whether it moved towards the judgements; its loss
   then does not count, since such training may make both of two answers less likely.
2. It forgot where, on general rows, fewer answers hold an accepted one, by an interval that excludes zero and by more
   than the tolerance of `ANSWERS_LOST`; where no general row has a short answer, where their loss rose so, by more than
   `LOSS_RISEN` of the base's. The loss alone would call a change of voice forgetting. General rows of the user's own
   choice count in the same way as those of the program, each for themselves and both together.
3. Keep: it helped and did not forget. Don't keep: otherwise. Not measured: where an interval that the rule needs is
   not to be had.

An adapter that changes nothing but noise is called "keep" in at most one case of twenty: each of the two intervals of
the first part excludes zero on the better side in one of forty. The noise floor, half of an interval's width, says how
small a change the rows can still show.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ANSWERS_LOST = 0.05
"""Share of the general rows whose right answers may go."""
LOSS_RISEN = 0.05
"""Share of the base's loss by which that of the general rows may rise."""

KEEP, DROP, UNKNOWN = "keep", "don't keep", "not measured"

WORDS = {
    "f1": "token F1 went from {} to {}",
    "loss": "the loss of the answers went from {} to {}",
    "margin": "the lead of preferred answers went from {} to {} nats",
    "holds": "answers that hold an accepted one went from {} to {}",
}
LOWER_IS_BETTER = ("loss",)
SHARES = ("f1", "holds")


@dataclass(frozen=True)
class Verdict:
    verdict: str
    """`keep`, `don't keep` or `not measured`."""
    reasons: tuple[str, ...]
    """Sentences: what was gained, what was lost, how small a change could be seen."""
    noise_floor: Mapping[str, float | None]
    """Of the figure that decided, on each set of rows."""
    tolerance: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Opinion:
    """What one set of rows says."""

    yes: bool | None
    """Whether it helped, or whether it forgot; None where that cannot be told."""
    reasons: tuple[str, ...]
    floor: float | None = None


def judge(found: Mapping[str, Any]) -> Verdict:
    """The verdict on an assessment as `tuning.assess` makes it."""
    gain = _gain(found["held_out"])
    losses = {kind: _forgetting(found[kind], words) for kind, words in GENERAL_SETS.items() if kind in found}
    answers = [opinion.yes for opinion in losses.values()]
    verdict = KEEP if gain.yes and not any(answers) else DROP
    if gain.yes is None or (gain.yes and not any(answers) and None in answers):
        verdict = UNKNOWN
    opinions = {"held_out": gain, **losses}
    reasons = tuple(reason for opinion in opinions.values() for reason in opinion.reasons)
    tolerance = {"answers_lost": ANSWERS_LOST, "loss_risen": LOSS_RISEN}
    return Verdict(verdict, reasons, {kind: opinion.floor for kind, opinion in opinions.items()}, tolerance)


GENERAL_SETS = {
    "general": "general rows",
    "own": "rows of your choice",
    "both": "general rows and rows of your choice",
}


def _gain(part: Mapping[str, Any]) -> Opinion:
    if not part["rows"]:
        return Opinion(None, ("No rows that it never saw: whether it helped cannot be told.",))
    if all(part[name]["difference"]["value"] == 0 for name in ("loss", "margin") if name in part):
        return Opinion(False, ("It changes nothing: no answer is likelier or less likely than before.",), 0.0)
    name, better = deciding(part)
    change = part[name]["difference"]
    if better is None and change["low"] is None:
        return Opinion(None, (f"Held-out rows: {change['note']}; whether it helped cannot be told.",))
    if better is None:
        reason = f"No gain to be seen: {words_of(part, name)} on {_rows(part, name)}"
        return Opinion(False, (f"{reason}; less than {_size(name, change['floor'])} would not show.",), change["floor"])
    how = "It helped" if better else "It did harm"
    return Opinion(better, (f"{how}: {words_of(part, name)} on {_rows(part, name)}.",), change["floor"])


def deciding(part: Mapping[str, Any]) -> tuple[str, bool | None]:
    """The figure that decides about a set that has rows, and whether it is clearly better; None: not clearly so.

    The first that changed clearly, of those that count; if none did, the first that has an interval, or any.
    """
    names = [name for name in ("margin", "f1") if name in part]
    names += ["loss"] if "loss" in part and "margin" not in part else []
    told = [name for name in names if part[name]["difference"]["low"] is not None]
    for name in told:
        rose, fell = part[name]["difference"]["low"] > 0, part[name]["difference"]["high"] < 0
        if rose or fell:
            return name, fell if name in LOWER_IS_BETTER else rose
    return (told or names[-1:])[0], None


def _forgetting(part: Mapping[str, Any], rows: str) -> Opinion:
    title = rows[0].upper() + rows[1:]
    name = next((name for name in ("holds", "loss") if name in part), None)
    if name is None:
        return Opinion(None, (f"No {rows} that can be measured: what it forgot cannot be told.",))
    change = part[name]["difference"]
    if change["low"] is None:
        return Opinion(None, (f"{title}: {change['note']}; what it forgot cannot be told.",))
    forgot = _risen(part) if name == "loss" else change["high"] < 0 and change["value"] < -ANSWERS_LOST
    tolerance = f"{LOSS_RISEN:.0%} of the loss" if name == "loss" else f"{ANSWERS_LOST:.0%} of the answers"
    how = "It forgot" if forgot else "No forgetting beyond what is tolerated"
    reason = f"{how}: {words_of(part, name)} on {_rows(part, name, rows)}"
    reason += f"; {tolerance} may be lost, and less than {_size(name, change['floor'])} would not show."
    reasons = [reason]
    if name != "loss" and not forgot and _risen(part):
        reasons.append(f"{title} are answered in another way than before, though: {words_of(part, 'loss')}.")
    return Opinion(forgot, tuple(reasons), change["floor"])


def _risen(part: Mapping[str, Any]) -> bool:
    """Whether the loss rose clearly, and by more than is tolerated."""
    if "loss" not in part:
        return False
    change = part["loss"]["difference"]
    return bool(change["low"] is not None and change["low"] > 0 and change["value"] > LOSS_RISEN * part["loss"]["base"])


def words_of(part: Mapping[str, Any], name: str) -> str:
    """A figure's two values and the interval of its change, in words."""
    both = part[name]
    change = both["difference"]
    shown = WORDS[name].format(_figure(name, both["base"]), _figure(name, both["tuned"]))
    if name in SHARES:
        return f"{shown} ({100 * change['low']:+.0f} to {100 * change['high']:+.0f} points)"
    return f"{shown} ({change['low']:+.3f} to {change['high']:+.3f})"


def _figure(name: str, value: float) -> str:
    return f"{value:.0%}" if name in SHARES else f"{value:.3f}"


def _rows(part: Mapping[str, Any], name: str, rows: str = "unseen rows") -> str:
    """What a figure was measured on, and what is to be known of its interval."""
    change = part[name]["difference"]
    note = f" ({change['note']})" if change["note"] else ""
    return f"{change['rows']} {rows} from {change['sources']} sources{note}"


def _size(name: str, floor: float) -> str:
    return f"{100 * floor:.0f} points" if name in SHARES else f"{floor:.3f}"
