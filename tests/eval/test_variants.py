"""The 2x2 as two booleans: what differs between the four requests is the adapter, the passages, and nothing else."""

from itertools import product

from eval.variants import IDS, VARIANTS, four_requests
from rag.index import Hit
from tuning.request import Sampling

HIT = Hit("harbour.txt", 1, "The scales stand by the pier.", 0.5, 0.5, None, 0, 29, "")


def test_the_four_are_the_whole_design() -> None:
    assert IDS == ("base", "tuned", "rag", "combined")
    assert {(v.tuned, v.documents) for v in VARIANTS} == set(product((False, True), repeat=2))


def test_requests_differ_in_adapter_and_passages_only() -> None:
    sampling = Sampling(seed=7)
    requests = four_requests("Where are the scales?", [HIT], "house", sampling)
    assert [requests[v].adapter for v in IDS] == [None, "house", None, "house"]
    assert (
        requests["base"].messages
        == requests["tuned"].messages
        == [{"role": "user", "content": "Where are the scales?"}]
    )
    assert requests["rag"].messages == requests["combined"].messages
    assert HIT.text in requests["rag"].messages[-1]["content"]
    assert {request.sampling for request in requests.values()} == {sampling}


def test_against_a_parent_both_sides_run_an_adapter() -> None:
    requests = four_requests("Where are the scales?", [HIT], "child", Sampling(), parent="house")
    assert [requests[v].adapter for v in IDS] == ["house", "child", "house", "child"]
