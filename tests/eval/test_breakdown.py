"""Votes in groups, over time, by dimension, place and cost; and the charts of them as pictures and tables."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.__main__ import main
from eval.ballot import Ballot, ballot_of
from eval.breakdown import by_group, clustered_mean, costs, dimensions, kind_of_question, over_time, positions
from eval.figures import as_csv, in_words
from eval.findings import find, position_sentence
from eval.judgement import Judgement
from eval.outcomes import choices_of, telling
from eval.plots import DARK, LIGHT, as_markdown, as_png
from eval.ranking import rank_votes
from eval.results import report
from eval.variants import IDS
from eval.votes import Votes, database_url
from tests.eval.making import make_vote


def ballots(number: int = 60, favoured: int = 0) -> list[Ballot]:
    """Votes of three raters over two months; the place `favoured` from the left, from 1, wins most often."""
    random = np.random.default_rng(number)
    made = []
    for count in range(number):
        order = tuple(random.permutation(IDS).tolist())
        sway = np.zeros(4)
        if favoured:
            sway[favoured - 1] = 2.0
        scores = {name: Judgement(scores={"accuracy": 5 if name == "rag" else 2 + count % 2}) for name in order}
        made.append(
            ballot_of(
                make_vote(
                    f"c{count}",
                    order,
                    question=f"{('Who', 'How')[count % 2]} is {count}?",
                    choice=order[int(np.argmax(sway + random.gumbel(size=4)))],
                    rater=f"rater {count % 3}",
                    time=f"2026-0{1 + count % 2}-{1 + count % 28:02}T00:00:00+00:00",
                    seconds={name: 2.0 + IDS.index(name) for name in order},
                    judgements=scores,
                    form="f" * 64,
                )
            )
        )
    return made


def test_kinds_of_question() -> None:
    asked = {
        "Who pays?": "who",
        " WHAT's that": "a task",
        "Is it?": "yes or no",
        "Write a poem": "a task",
        "?": "a task",
    }
    assert {text: kind_of_question(text) for text in asked} == asked


def test_groups_hold_the_figures_of_their_own_votes() -> None:
    votes = ballots()
    figure = by_group(telling(votes), choices_of(votes), "question")
    assert {row.more for row in figure.intervals} == {
        (kind, effect, 30) for kind in ("who", "how") for effect in ("tuning", "retrieval")
    }
    alone = rank_votes([vote for vote in votes if vote.question.startswith("Who")])
    row = next(row for row in figure.intervals if row.name == "who: retrieval")
    assert row.value == pytest.approx(alone.effects[1].win_rate)
    assert by_group(telling(votes), choices_of(votes), "mode").empty
    assert by_group(telling(votes), choices_of(votes), "task").empty, "no vote names one"


def test_tasks_group_the_votes_that_name_one() -> None:
    votes = [vote._replace(task=("fact", "rules", "")[number % 3]) for number, vote in enumerate(ballots())]
    figure = by_group(telling(votes), choices_of(votes), "task")
    assert {row.more for row in figure.intervals} == {
        (name, effect, 20) for name in ("fact", "rules", "not named") for effect in ("tuning", "retrieval")
    }
    assert "by topic or task" in report(votes)


def test_points_by_dimension_and_variant() -> None:
    rows = {row.more[1]: row for row in dimensions(ballots()).intervals}
    assert rows["rag"].value == 5.0
    assert rows["rag"].low < 5.0 < rows["rag"].high
    assert rows["base"].value == pytest.approx(2.5)
    assert dimensions([]).empty


def test_a_mean_of_clusters_is_as_uncertain_as_they_differ() -> None:
    apart = clustered_mean([[1.0], [5.0]] * 20)
    together = clustered_mean([[1.0] * 10, [5.0] * 10, [1.0] * 10, [5.0] * 10])
    assert apart[0] == together[0] == 3.0
    assert together[2] - together[1] > 3 * (apart[2] - apart[1])
    assert clustered_mean([[4.0, 4.0]])[1:3] == (1.0, 10.0)


def test_the_position_test_finds_a_favoured_place_and_none_where_none_is() -> None:
    swayed, fair = (positions(choices_of(ballots(160, favoured))) for favoured in (2, 0))
    assert swayed.p is not None
    assert fair.p is not None
    assert swayed.p < 0.001 < 0.01 < fair.p
    best = max(swayed.figure.intervals, key=lambda row: row.value or 0.0)
    assert (best.name, len(swayed.figure.intervals)) == ("place 2", 4)
    assert "place 2 from the left is favoured" in position_sentence(swayed)
    assert "No sign" in position_sentence(fair)
    assert positions(choices_of([])).p is None


def test_costs_are_medians_beside_strength() -> None:
    votes = ballots()
    table = {row[0]: row[1:] for row in costs(votes, rank_votes(votes)).table}
    assert table["combined"][-1] == 5.0
    assert table["base"][1:3] == (12.0, 0.1)


def test_every_vote_is_in_a_column_of_time() -> None:
    figure = over_time(ballots())
    assert sum(sum(row[1:]) for row in figure.table) == 60
    assert len(figure.table) <= 60


def test_every_figure_is_a_picture_and_a_table() -> None:
    figures = find(ballots()).figures
    assert {figure.kind for figure in figures} == {"intervals", "heatmap", "columns", "scatter"}
    for figure in figures:
        rows = list(csv.reader(io.StringIO(as_csv(figure))))
        assert len({len(row) for row in rows}) == 1
        assert len(rows) == 1 + len(figure.intervals or figure.table)
    assert as_png(figures[0], LIGHT).startswith(b"\x89PNG")
    assert as_png(figures[0], LIGHT) != as_png(figures[0], DARK)


def test_every_picture_says_in_words_what_it_shows() -> None:
    figures = find(ballots()).figures
    for figure in figures:
        assert in_words(figure).startswith(f"{figure.title}. ")
        said = Image.open(io.BytesIO(as_png(figure))).info["Description"]  # type: ignore[attr-defined]
        assert said.startswith(figure.title)
    by_id = {figure.id: in_words(figure) for figure in figures}
    assert re.search(r"rag: [+−]\d\.\d\d, 95 % interval [+−]\d", by_id["strengths"])
    assert re.search(r"base: .*rag \d+ %", by_id["matrix"])
    assert re.search(r"2026-01-\d\d: decided \d+, tie \d+", by_id["time"])
    page = as_markdown([replace(figures[0], title="of ](evil) <b>")])
    assert r"![of \](evil) \<b\>" in page
    assert page.endswith("(rates.png)\n")


def test_judges_and_open_votes_are_shown_apart_and_change_nothing_else() -> None:
    votes = ballots(20)
    judge = [ballot_of(make_vote(f"j{n}", choice="base", rater_kind="judge")) for n in range(30)]
    opened = [ballot_of(make_vote(f"o{n}", choice="base", blind=False)) for n in range(30)]
    plain, mixed = find(votes), find([*votes, *judge, *opened])
    assert plain.ranking == mixed.ranking
    assert plain.figures == mixed.figures
    assert mixed.judged is not None
    assert mixed.judged.strengths[0].name == "base"
    page = report([*votes, *judge, *opened])
    assert "What the judge says" in page
    assert "With the names visible" in page
    assert "What the judge says" not in report(votes)


def test_raters_are_named_only_where_their_votes_may_be_seen() -> None:
    assert "rater 1: tuning" in report(ballots())
    assert "rater 1" not in report(ballots(), with_raters=False)


def test_charts_writes_pictures_and_tables(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Votes(database_url(home))
    log.append(make_vote())
    log.close()
    assert main(["charts", str(tmp_path / "charts"), "--dark", "--json"]) == 0
    files = json.loads(capsys.readouterr().out.splitlines()[-1])["files"]
    assert sorted(files) == sorted(path.name for path in (tmp_path / "charts").iterdir())
    assert {"strengths.png", "strengths.csv"} <= set(files)
    (tmp_path / "file").write_text("")
    assert main(["charts", str(tmp_path / "file")]) == 2
