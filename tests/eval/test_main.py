"""The commands: results on stdout, one line on stderr and status 2 for what the user has to correct."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.__main__ import main
from eval.export import FORMATS as WRITERS
from eval.export_commands import FORMATS
from eval.variants import IDS
from eval.votes import Votes, database_url
from tests.eval.making import make_vote

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def log(home: Path) -> None:
    votes = Votes(database_url(home))
    for number in range(12):
        votes.append(make_vote(f"c{number}", choice=("combined", "combined", "rag", "tie")[number % 4]))
    votes.append(make_vote("bad", choice="all_bad"))
    votes.close()


def last_object(captured: Captured) -> dict:
    return json.loads(captured.readouterr().out.splitlines()[-1])


def test_rank_prints_the_published_strengths_of_a_table(tmp_path: Path, capsys: Captured) -> None:
    """The worked example of the Bradley-Terry article, from a file, with nothing but the defaults."""
    wins = {"AB": 2, "BA": 3, "AD": 1, "DA": 4, "BC": 5, "CB": 3, "CD": 1, "DC": 3}
    lines = [f"{pair[0]},{pair[1]},{pair[0]}\n" * count for pair, count in wins.items()]
    (tmp_path / "votes.csv").write_text("left,right,winner\n" + "".join(lines))
    assert main(["rank", str(tmp_path / "votes.csv"), "--json"]) == 0
    result = last_object(capsys)
    strengths = {row["name"]: np.exp(row["log_strength"]) for row in result["strengths"]}
    assert strengths == pytest.approx({"A": 0.640, "B": 1.043, "C": 0.660, "D": 2.270}, abs=0.001)
    assert (result["votes"], result["tie_policy"], result["prior"]) == (22, "half", 0)
    assert {"name", "log_strength", "se", "low", "high", "wins", "losses", "ties"} <= set(result["strengths"][0])
    assert {"left", "right", "difference", "se", "low", "high", "p"} <= set(result["contrasts"][0])


def test_rank_takes_a_prior_where_none_has_no_finite_fit(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner\na,b,a\n")
    assert main(["rank", str(path), "--json"]) == 0
    assert last_object(capsys)["prior"] == 0.5
    assert main(["rank", str(path), "--prior", "0"]) == 2
    assert "prior above 0" in capsys.readouterr().err
    path.write_text("left,right,winner\n")
    assert main(["rank", str(path), "--json"]) == 0
    assert last_object(capsys)["strengths"] == []
    assert main(["rank", str(path)]) == 0


@pytest.mark.usefixtures("log")
def test_rank_reads_the_apps_own_log(capsys: Captured) -> None:
    assert main(["rank", "--json"]) == 0
    result = last_object(capsys)
    assert result["votes"] == 12
    assert result["counts"] == {
        "decided": 9, "tie": 3, "all_good": 0, "all_bad": 1, "skip": 0, "open": 0, "judge": 0, "parent": 0,
    }  # fmt: skip
    assert result["strengths"][0]["name"] == "combined"
    assert [effect["name"] for effect in result["effects"]] == ["tuning", "retrieval", "interaction"]
    assert main(["rank"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in (*IDS, "effect of tuning", "12 votes", "95%"))


def test_rank_without_any_vote_says_how_little_it_knows(capsys: Captured) -> None:
    assert main(["rank"]) == 0
    assert "Provisional" in capsys.readouterr().out


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["json", "csv"])
def test_export_writes_the_votes_that_count(tmp_path: Path, capsys: Captured, name: str) -> None:
    assert main(["export", "--format", name, str(tmp_path / "out"), "--json"]) == 0
    assert last_object(capsys) == {"path": str(tmp_path / "out"), "format": name, "votes": 13}
    text = (tmp_path / "out").read_text()
    assert len(json.loads(text)["votes"]) == 13 if name == "json" else len(text.splitlines()) == 1 + 13 * 4


def test_another_database_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("FOURFOLD_DATABASE_URL", database_url(tmp_path / "elsewhere"))
    assert main(["rank", "--json"]) == 0
    assert (tmp_path / "elsewhere" / "votes.sqlite").is_file()
    monkeypatch.setenv("FOURFOLD_DATABASE_URL", "nonsense")
    assert main(["rank", "--json"]) == 2
    assert "database URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["rank", "missing.csv"], ["rank", "--level", "2"], ["rank", "--prior", "-1"], ["export", "/missing/folder/out"]],
)
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], capsys: Captured) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_a_damaged_log_is_one_line_and_status_2(home: Path, capsys: Captured) -> None:
    home.mkdir()
    (home / "votes.sqlite").write_bytes(b"no database" * 100)
    assert main(["rank"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_help_names_every_format(capsys: Captured) -> None:
    assert tuple(WRITERS) == FORMATS
    for command in ("rank", "export"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "Example:" in capsys.readouterr().out
