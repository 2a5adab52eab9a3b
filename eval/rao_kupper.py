"""Another model of ties between two: Rao and Kupper (1967, Journal of the American Statistical Association 62).

A pair is a tie where the rater sees no difference: P(left wins) = sigma(d - threshold), P(tie) is what is left between
the two. Davidson's model is the default; this one shows whether a result hangs on how ties are modelled.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from eval.choice_model import Table, lay_out
from eval.choices import Choices, Floats
from eval.errors import InputError


@dataclass(frozen=True, eq=False)
class RaoKupper(Table):
    """Pairs laid out for the fit; the only term beside the strengths is the threshold."""

    @property
    def start(self) -> Floats:
        """Equal strengths and a threshold of 1."""
        return np.concatenate([np.zeros(self.players), [1.0]])

    def log_likelihood(self, parameters: Floats) -> Floats:
        """(rows,) Of one choice of each row; minus infinity where the threshold is not above 0."""
        lead, threshold = self._lead(parameters)
        if threshold <= 0:
            return np.full(len(lead), -np.inf)
        win, loss = (-np.logaddexp(0.0, threshold - side) for side in (lead, -lead))
        tie = win + loss + np.log(np.expm1(2 * threshold))
        return np.asarray((self.target * np.stack([win, loss, tie], axis=1)).sum(axis=1))

    def derivatives(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Of one choice of each row: the score (rows, 3) and the observed information (rows, 3, 3)."""
        lead, threshold = self._lead(parameters)
        wins, losses = self.target[:, 0] + self.target[:, 2], self.target[:, 1] + self.target[:, 2]
        ties = self.target[:, 2]
        right, left = expit(threshold - lead), expit(threshold + lead)
        ahead, behind = np.array([1.0, -1.0, -1.0]), np.array([-1.0, 1.0, -1.0])
        growth = 2.0 / -np.expm1(-2 * threshold)  # of log(e^2t - 1)
        score = (wins * right)[:, None] * ahead + (losses * left)[:, None] * behind
        score[:, 2] += ties * growth
        information = (wins * right * (1 - right))[:, None, None] * np.outer(ahead, ahead)
        information += (losses * left * (1 - left))[:, None, None] * np.outer(behind, behind)
        information[:, 2, 2] += ties * growth * (growth - 2.0)
        return score, information

    def _lead(self, parameters: Floats) -> tuple[Floats, float]:
        return parameters[self.index[:, 0]] - parameters[self.index[:, 1]], float(parameters[-1])


def lay_out_pairs(choices: Choices) -> Table:
    """The table of choices between two. Raises `InputError` for others, and where nothing tied."""
    offered = (choices.items >= 0).sum(axis=1)
    if (offered != 2).any() or choices.items.shape[1] != 2 or choices.covariates:
        raise InputError("The Rao-Kupper model is for pairs alone; give --ties davidson for choices among more.")
    plain = lay_out(choices, "davidson")
    if "tie of 2" not in plain.terms:
        raise InputError("No vote is a tie, so that the Rao-Kupper model has nothing to measure; give --ties davidson.")
    return RaoKupper(**{name: getattr(plain, name) for name in Table.__dataclass_fields__})
