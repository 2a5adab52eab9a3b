"""Counts to shares with their uncertainty."""

import math

Share = dict[str, float | None]
"""`value`, the ends `low` and `high` of its 95 % interval, and `of`, the count that it is a share of."""

_Z = 1.959964


def share(count: int, of: int) -> Share:
    """count / of with Wilson's score interval, which has a width also at 0 and 1; value None where `of` is 0.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if not of:
        return {"value": None, "low": 0.0, "high": 1.0, "of": 0}
    value, square = count / of, _Z * _Z / of
    middle = (value + square / 2) / (1 + square)
    half = _Z * math.sqrt(value * (1 - value) / of + square / (4 * of)) / (1 + square)
    ends = max(0.0, middle - half), min(1.0, middle + half)
    return {"value": round(value, 4), "low": round(ends[0], 4), "high": round(ends[1], 4), "of": of}


def in_words(figure: Share) -> str:
    """A share for readers, in percent."""
    value, low, high, of = (figure[key] for key in ("value", "low", "high", "of"))
    if value is None or low is None or high is None:
        return "not known: there were none"
    return f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}] of {of:.0f}"
