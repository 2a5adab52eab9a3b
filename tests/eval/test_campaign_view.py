"""What the Campaigns page shows: the numbers, the warnings, and nothing of what users type as HTML."""

from dataclasses import replace

from eval.agreement import Accord, Favourite, RaterReport
from eval.alpha import alpha
from eval.campaign import Campaign, Standing
from eval.campaign_view import body, empty
from eval.judging import JudgeReport
from eval.setup import Setup

CAMPAIGN = Campaign("k", "2026-01-01", "", 3, 10, 0, 0, Setup("a", "i"), 20)
STANDING = Standing(CAMPAIGN, needed=40, rated=10, held=2, answered=20, by_rater={"anna": 10})
REPORT = RaterReport(
    "<b>anna</b>", 10, Favourite("pane A", 9, 10, 4, 1e-6), Accord(0.5, 0.2, 0.8, 10, 0.25, 0.01), 300.0, 2, 1,
    ("picks pane A in 9 of 10: probably not reading",),
)  # fmt: skip
AGREED = alpha([(f"u{unit}", rater, unit % 3) for unit in range(9) for rater in "ab"])


def test_the_numbers_and_the_warnings() -> None:
    judge = JudgeReport("judge:m", 60, 12, 30, 0.7, 0.5, 0.85, AGREED, AGREED)
    text = body(STANDING, {"best": AGREED}, [REPORT], [judge])
    for words in (
        "10 of 40", "10 of 20 by each of 3 raters, the others by one", "/?campaign=k", "A 9/10", "50%", "1/2",
        "probably not reading", "which answer is best", "1.00", "No disagreement in 9 units", "judge:m", "70%",
        'aria-valuenow="25"',
    ):  # fmt: skip
        assert words in text
    assert "<b>anna" not in text


def test_a_closed_campaign_invites_nobody() -> None:
    closed = replace(STANDING, campaign=replace(CAMPAIGN, closed="2026-01-02", overlap=20))
    text = body(closed, {"best": alpha([])}, [], [])
    assert "?campaign" not in text
    assert "closed" in text
    assert "all 20 by each of 3 raters" in text
    assert "Nobody has rated yet" in text
    assert "No campaign yet" in empty()
