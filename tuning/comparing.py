"""Two adapters side by side: what made them differ, and how far apart they are on the rows that neither ever saw."""

from collections.abc import Mapping
from typing import Any

from tuning.adapters import Adapter
from tuning.assessment import SETS, caveats, figures, measured_on, read_assessment, table
from tuning.paired import Measured, summary
from tuning.verdict import deciding, words_of

FACTS = ("method", "base", "train_rows", "steps", "seconds", "validation_loss", "test_loss")


def compare(left: Adapter, right: Adapter) -> dict[str, Any]:
    """Settings that differ, data, results, and figures on shared rows with the interval of `right` minus `left`.

    Shared are the rows that were measured for both; neither was trained on them. In these figures, `base` is the left
    one and `tuned` the right one. Computes nothing with a model.
    """
    sides = {"left": left, "right": right}
    found = {side: read_assessment(adapter) for side, adapter in sides.items()}
    both = found["left"] and found["right"]
    rows = {side: adapter.card.get("rows") or {} for side, adapter in sides.items()}
    same_base = left.card["base_digest"] == right.card["base_digest"]
    result: dict[str, Any] = {
        **{side: _described(adapter, found[side]) for side, adapter in sides.items()},
        "same_base": same_base,
        "same_data": rows["left"].get("sha256") == rows["right"].get("sha256"),
        "same_weights": left.digest == right.digest,
        "config": _differences(left.card.get("config") or {}, right.card.get("config") or {}),
        "notes": [],
    }
    for side, adapter in sides.items():
        if found[side] is None:
            again = f"`python -m tuning assess {adapter.name}` measures it"
            result["notes"].append(f"{adapter.name} was not measured; {again}, then compare again")
    if both:
        for kind in SETS:
            _shared(result, kind, _rows(found["left"], kind), _rows(found["right"], kind), same_base)
    return result | {"conclusion": _conclusion(result)}


def _conclusion(result: Mapping[str, Any]) -> str:
    """Which is better on the held-out rows that both have, by the figure that decides a verdict, in a sentence."""
    part, left, right = result.get("held_out"), result["left"]["name"], result["right"]["name"]
    if not part or not part["rows"] or not any(name in part for name in ("loss", "margin", "f1")):
        return "Which is better cannot be told: no held-out rows were measured for both."
    name, better = deciding(part)
    change = part[name]["difference"]
    if change["low"] is None:
        return f"Which is better cannot be told: {change['note']}."
    if better is None:
        return f"No difference to be seen between {left} and {right}: {words_of(part, name)}."
    ahead, behind = (right, left) if better else (left, right)
    return f"{ahead} is better than {behind} on rows that neither saw: {words_of(part, name)}."


def _described(adapter: Adapter, found: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = {fact: adapter.card.get(fact) for fact in FACTS}
    verdict = found["verdict"]["verdict"] if found else "not measured"
    return {"name": adapter.name, "digest": adapter.digest, **facts, "verdict": verdict}


def _differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = [name for name in dict.fromkeys([*left, *right]) if name != "assess"]  # which is no hyperparameter
    return {name: [left.get(name), right.get(name)] for name in names if left.get(name) != right.get(name)}


def _rows(found: Mapping[str, Any] | None, kind: str) -> dict[str, Mapping[str, Any]]:
    return {row["digest"]: row for row in found["rows"].get(kind, ())} if found else {}


def _shared(
    result: dict[str, Any],
    kind: str,
    left: Mapping[str, Mapping[str, Any]],
    right: Mapping[str, Mapping[str, Any]],
    same_base: bool,
) -> None:
    """Add the figures of the rows that both have, and what is to be known of them."""
    common = [digest for digest in left if digest in right]
    if not common:
        if left or right:
            result["notes"].append(f"{SETS[kind]}: none in common, so their figures are of different rows")
        return
    for name, mine in (("left", left), ("right", right)):
        if len(common) < len(mine):
            who = result[name]["name"]
            result["notes"].append(f"{SETS[kind]}: {len(common)} of the {len(mine)} measured for {who} are shared")
    pairs = [Measured(digest, left[digest]["source"], left[digest]["tokens"], *(
        _fair(side[digest]["tuned"], same_base) for side in (left, right)
    )) for digest in common]  # fmt: skip
    scored = [pair for pair in pairs if pair.base.keys() == pair.tuned.keys()]
    result[kind] = summary(scored)
    if not same_base and kind == "held_out":
        result["notes"].append("their bases differ: losses of different tokenisers cannot be compared, scores can")


def _fair(figures_of: Mapping[str, float], same_base: bool) -> Mapping[str, float]:
    return {name: value for name, value in figures_of.items() if same_base or name not in ("loss", "margin")}


def in_words(result: Mapping[str, Any]) -> list[str]:
    """The comparison as lines of text."""
    left, right = result["left"], result["right"]
    rows = [("", left["name"], right["name"]), ("verdict", left["verdict"], right["verdict"])]
    rows += [(fact, _shown(left[fact]), _shown(right[fact])) for fact in FACTS]
    rows += [(name, *map(_shown, values)) for name, values in result["config"].items() if name not in FACTS]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{what:{widths[0]}}  {one:{widths[1]}}  {other}".rstrip() for what, one, other in rows]
    lines.append("the same rows" if result["same_data"] else "trained on different rows")
    if result["same_weights"]:
        lines.append("the very same weights")
    for kind, words in SETS.items():
        if kind in result:
            lines.append(f"{measured_on(result[kind], words)}, shared; {left['name']} -> {right['name']}")
            lines += [*table(figures(result[kind])), *(f"  ({caveat})" for caveat in caveats(result[kind]))]
    return [*lines, *(f"note: {note}" for note in result["notes"]), result["conclusion"]]


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
