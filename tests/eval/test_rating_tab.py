"""A rater's way through a campaign, by the handlers of the page: the link, prompt after prompt, the end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from eval.campaigns import Campaigns
from eval.compare_tab import Compare
from eval.handout import Next
from eval.limits import Limits
from eval.prompts import Prompt
from eval.rating_tab import Rating, campaign_of, ended
from eval.setup import Setup
from eval.votes import Votes, database_url
from eval.workbench import Workbench

RATER = "5a" * 16


def request(address: str = "?campaign=k") -> Any:
    query = dict(part.split("=") for part in address.removeprefix("?").split("&") if part)
    return SimpleNamespace(query_params=query, headers={}, client=SimpleNamespace(host="127.0.0.1"))


def test_a_rater_goes_from_the_link_to_the_end(loaded: Workbench, home: Path) -> None:
    votes = Votes(database_url(home))
    campaigns = Campaigns(database_url(home))
    prompts = [Prompt("p0", "Who keeps the lighthouse?"), Prompt("p1", "What does the harbour master weigh?")]
    campaigns.create("k", prompts, Setup("samples", "samples", 1, max_tokens=8), raters=2)
    compare = Compare(loaded, votes, Limits())
    rating = Rating(loaded, campaigns, Limits(), compare.opened, compare.visitor)
    words, following, ask, question, own = rating.arrive(request())
    assert words["value"].startswith("**Campaign k.**")
    assert (following["visible"], ask["visible"], own["visible"]) == (True, False, False)
    assert question["interactive"] is False, "the campaign gives the prompts"

    for number in (1, 2):
        task, rater, said, _, asked, comparison, *_ = rating.begin(RATER, False, request())
        assert rater == RATER
        assert said["value"] == f"**Campaign k: prompt {number} of 2**"
        assert asked == comparison.question == task.prompt.question
        for _ in rating.stream(task, comparison, request()):
            pass
        updates = compare.voting.vote("0", comparison, RATER, "", False)
        assert "Vote saved. Show the next prompt." in updates
        assert not any("adapter" in str(update) for update in updates), "a rater stays blind for the whole campaign"
    with pytest.raises(gr.Error) as raised:
        rating.begin(RATER, False, request())
    assert "You have rated 2 prompts: thank you. All ratings are made." in str(raised.value)
    assert {(vote.campaign, vote.prompt_id, vote.rater) for vote in votes.votes()} == {
        ("k", "p0", RATER),
        ("k", "p1", RATER),
    }
    *_, comparison = rating.begin("6b" * 16, False, request())[:6]
    assert comparison.done, "the second rater does not wait"
    campaigns.dispose()
    votes.close()


def test_other_visitors_see_nothing_of_it(loaded: Workbench, home: Path) -> None:
    votes = Votes(database_url(home))
    compare = Compare(loaded, votes, Limits())
    rating = Rating(loaded, Campaigns(database_url(home)), Limits(), compare.opened, compare.visitor)
    assert all(update == gr.skip() for update in rating.arrive(request("")))
    words, following, *_ = rating.arrive(request("?campaign=unknown"))
    assert "There is no campaign 'unknown'" in words["value"]
    assert following["visible"] is False
    with pytest.raises(gr.Error, match="belongs to no campaign"):
        rating.begin(RATER, False, request("?campaign=<script>"))
    assert list(rating.stream(None, None, request())) == []
    votes.close()


def test_an_address_names_a_campaign_or_none() -> None:
    assert campaign_of(request("?campaign=my-1")) == "my-1"
    assert campaign_of(request("?campaign=<b>")) == ""
    assert campaign_of(request("")) == ""


def test_why_there_is_nothing_to_rate() -> None:
    assert "tick “Go on past my part”" in ended(Next(None, done=4, total=4, beyond=8))
    assert "in other raters' hands" in ended(Next(None, held=2))
    assert ended(Next(None)) == "All ratings are made."
