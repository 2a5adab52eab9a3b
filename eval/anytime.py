"""Intervals that hold at every look: whoever watches the results while votes come in may stop when it pleases.

An interval for one look is right 95 times in 100 at that look; looked at after each vote it is wrong at some time far
more often. The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024, Annals of
Statistics 52, "Time-uniform central limit theory and asymptotic confidence sequences") is wrong at any time at all at
most 5 times in 100. It is Robbins' (1970) normal mixture: the evidence against a value is a bet whose capital grows
past 20 in at most one of 20 cases where the value is true.
"""

from math import exp, inf, log, sqrt

TUNED_FOR = 100
"""Votes at which the sequence is narrowest; it is valid for any number."""


def half_width(se: float, votes: int, level: float) -> float:
    """Half the width of the interval after `votes` votes, for an estimate with standard error `se`."""
    if votes < 1:
        return inf
    spread = votes * _mixture(level)
    return se * sqrt(2 * (1 + spread) / spread * log(sqrt(1 + spread) / (1 - level)))


def p_value(value: float, se: float, votes: int, level: float) -> float:
    """The least error rate at which the sequence excludes zero: a p-value that holds at every look."""
    if votes < 1:
        return 1.0
    spread = votes * _mixture(level)
    bet = (value / se) ** 2 * spread / (2 * (1 + spread)) - log(1 + spread) / 2  # its logarithm
    return min(1.0, exp(-bet)) if bet > 0 else 1.0


def _mixture(level: float) -> float:
    """Variance of the mixture, in units of one vote's, that makes the interval narrowest at `TUNED_FOR` votes,
    to first order."""
    alpha = 1 - level
    return (-2 * log(alpha) + log(1 - 2 * log(alpha))) / TUNED_FOR
