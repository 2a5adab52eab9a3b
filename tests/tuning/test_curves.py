"""What the plots of a training draw."""

import pytest

from tuning.curves import KINDS, POINTS, table, thin


def test_a_long_curve_keeps_its_last_point() -> None:
    points = [(n, 0.0) for n in range(100)]
    assert len(thin(points, 12)) <= 12
    assert thin(points, 12)[-1] == (99, 0.0)
    assert thin([]) == []


@pytest.mark.parametrize("training", [[], [(1, 2.0)], [(n, 1.0) for n in range(3 * POINTS)]])
@pytest.mark.parametrize("validation", [[], [(0, 3.0)]])
def test_both_curves_are_named_as_soon_as_one_begins(
    training: list[tuple[int, float]], validation: list[tuple[int, float]]
) -> None:
    """A run measures its validation rows before its first step.

    The plot took its kinds of curves from that first table, and drew no training loss until the page was reloaded.
    """
    shown = table(training, validation)
    assert set(shown["rows"]) == (set(KINDS) if training or validation else set())
    drawn = [loss for loss in shown["loss"] if loss is not None]
    assert len(drawn) == len(thin(training)) + len(validation)
    assert len({len(column) for column in shown.values()}) == 1
