"""Tables of pairwise votes, well-formed and not."""

import contextlib
import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.choices import Choices
from eval.errors import InputError
from eval.pairtable import read


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "votes.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def outcomes(choices: Choices) -> list[tuple[str, str, float]]:
    score = (1.0 + choices.chosen[:, 0] - choices.chosen[:, 1]) / 2
    rows = zip(choices.items.tolist(), score.tolist(), strict=True)
    return [(choices.names[left], choices.names[right], points) for (left, right), points in rows]


def test_a_winner_is_a_name_or_a_side_or_a_tie(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffLeft, right,winner\r\na,b,a\na,b,b\na,b,left\nb,a,RIGHT\n\na,b,tie\n")
    pairs = read(path)
    assert pairs.names == ("a", "b")
    assert outcomes(pairs) == [("a", "b", 1.0), ("a", "b", 0.0), ("a", "b", 1.0), ("b", "a", 0.0), ("a", "b", 0.5)]
    assert (pairs.clusters, list(pairs.vote)) == ((), [0, 1, 2, 3, 4])


def test_lines_of_one_prompt_share_a_cluster_and_lines_of_one_rater(tmp_path: Path) -> None:
    path = table(tmp_path, "left,right,winner,rater,prompt\na,b,a,r,Why?\na,b,b,s,why? \na,b,b,s,\na,b,b,s,\n")
    pairs = read(path)
    assert [(name, list(number)) for name, number in pairs.clusters] == [
        ("prompt", [0, 0, 1, 2]), ("rater", [0, 1, 1, 1]),
    ]  # fmt: skip
    alone = read(table(tmp_path, "left,right,winner,rater\na,b,a,r\na,b,b,\na,b,b,r\n"))
    assert [(name, list(number)) for name, number in alone.clusters] == [("rater", [0, 1, 0])]


def test_properties_of_the_answers_are_columns_in_pairs(tmp_path: Path) -> None:
    path = table(tmp_path, "left,right,winner,left_words,right_words\na,b,a,1,3\nb,a,b,5,7\n")
    ((name, values),) = read(path, ["words"]).covariates
    assert name == "words"
    np.testing.assert_allclose(values, (np.array([[1, 3], [5, 7]]) - 4) / np.sqrt(5))
    with pytest.raises(InputError, match="line 1: the column left_links is missing"):
        read(path, ["links"])
    with pytest.raises(InputError, match="line 2: right_words is 'many'; give a number"):
        read(table(tmp_path, "left,right,winner,left_words,right_words\na,b,a,1,many\n"), ["words"])


def test_self_pairs_are_dropped(tmp_path: Path) -> None:
    pairs = read(table(tmp_path, "left,right,winner\na,a,tie\na,a,a\na,b,a\n"))
    assert (pairs.dropped, outcomes(pairs)) == (2, [("a", "b", 1.0)])


def test_names_that_are_words_for_sides(tmp_path: Path) -> None:
    """A name wins over a word unless the two say different things, which is refused instead of guessed."""
    path = table(tmp_path, "left,right,winner\nleft,b,left\nb,right,right\nb,tie,b\n")
    assert [row[2] for row in outcomes(read(path))] == [1.0, 0.0, 1.0]
    for line in ("right,left,left", "a,left,left", "tie,b,tie"):
        with pytest.raises(InputError, match="line 2: the winner"):
            read(table(tmp_path, f"left,right,winner\n{line}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the column left is missing"),
        ("left,right\na,b\n", "line 1: the column winner is missing"),
        ("left,right,winner\na,b,c\n", "line 2: the winner 'c'"),
        ("left,right,winner\na,b,a\na,b,\n", "line 3: the winner ''"),
        ("left,right,winner\na,,a\n", "line 2: a name is empty"),
        ("left,right,winner\na,b\n", "line 2: 2 cells under 3 columns"),
        ('left,right,winner\n"a\nb",c,c\na,b,d\n', "line 4: the winner 'd'"),
        ('left,right,winner\na,b,"a\n', "not readable as CSV"),
        (b"left,right,winner\n\xff,b,b\n", "not UTF-8"),
        (b"left,right,winner\nx" + b"y" * 200_000 + b",b,b\n", "not readable as CSV"),
    ],
)
def test_a_bad_table_is_named_with_its_line_and_the_remedy(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(table(tmp_path, text))
    assert "votes.csv" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_too_many_names_and_no_file(tmp_path: Path) -> None:
    rows = "".join(f"a{number},b{number},tie\n" for number in range(501))
    with pytest.raises(InputError, match="1002 names"):
        read(table(tmp_path, "left,right,winner\n" + rows))
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(InputError, match="cannot be read"):
            read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8"))))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    for start in (b"", b"left,right,winner\n"):
        with contextlib.suppress(InputError):
            assert read(table(tmp_path, start + content)).chosen.any(axis=1).all()


name = st.sampled_from(["a", "b, c", 'd"', "é", "left", "tie "])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(name, name, st.sampled_from([0.0, 0.5, 1.0])).filter(lambda row: row[0] != row[1])))
def test_what_was_written_is_read(tmp_path: Path, rows: list[tuple[str, str, float]]) -> None:
    rows = [row for row in rows if "left" not in row[:2]]
    with (tmp_path / "votes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "right", "winner"])
        writer.writerows((left, right, {1.0: "left", 0.0: "right", 0.5: "Tie"}[score]) for left, right, score in rows)
    expected = [(left.strip(), right.strip(), score) for left, right, score in rows]
    if any("tie" in row[:2] and row[2] == 0.5 for row in expected):
        return  # refused: the word means two things
    assert outcomes(read(tmp_path / "votes.csv")) == expected
