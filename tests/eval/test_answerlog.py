"""An answer is kept once it is there, whatever happens next, and is never taken for another's."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eval.answerlog import AnswerLog, Made, key_of
from eval.errors import InputError
from tests.conftest import REPO
from tuning.request import Request, Sampling

ANSWER = Made("k1", "Nine.", 2, "end", None, 0.1, 0.2)
BASE = {"digest": "ab", "precision": "float32"}
REQUEST = Request([{"role": "user", "content": "How deep?"}], sampling=Sampling(max_tokens=8))


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "answers.jsonl"
    with AnswerLog(path) as log:
        log.add(ANSWER)
        log.add(replace(ANSWER, key="k2", text="\ud800 é"))
        log.add(replace(ANSWER, seconds=0.3))
    with AnswerLog(path) as log:
        assert log.answers == {"k1": replace(ANSWER, seconds=0.3), "k2": replace(ANSWER, key="k2", text="\ud800 é")}


def test_a_torn_last_line_is_cut_off_and_the_next_one_stands_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerLog(path) as log:
        log.add(ANSWER)
    with path.open("a") as file:
        file.write('{"key": "k2", "te')
    with AnswerLog(path) as log:
        assert list(log.answers) == ["k1"]
        log.add(replace(ANSWER, key="k3"))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["k1", "k3"]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="line 1"), AnswerLog(tmp_path / "answers.jsonl"):
        pass


def test_two_runs_cannot_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerLog(path), pytest.raises(InputError, match="another --name"), AnswerLog(path):
        pass
    with AnswerLog(path):
        pass


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_and_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    script = (
        "import os, pathlib, signal, sys\nfrom dataclasses import replace\n"
        "from tests.eval.test_answerlog import ANSWER\nfrom eval.answerlog import AnswerLog\n"
        "with AnswerLog(pathlib.Path(sys.argv[1])) as log:\n"
        "    [log.add(replace(ANSWER, key=str(n))) for n in range(5)]\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=REPO, check=False)
    assert done.returncode == -9
    with AnswerLog(path) as log:
        assert list(log.answers) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("request_", "base", "adapter"),
    [
        (replace(REQUEST, messages=[{"role": "user", "content": "How high?"}]), BASE, None),
        (replace(REQUEST, sampling=Sampling(max_tokens=9)), BASE, None),
        (replace(REQUEST, given="Nine."), BASE, None),
        (REQUEST, BASE, "digest of an adapter"),
        (REQUEST, {**BASE, "precision": "bfloat16"}, None),
    ],
)
def test_whatever_makes_an_answer_is_in_its_key(request_: Request, base: dict[str, str], adapter: str | None) -> None:
    assert key_of(request_, base, adapter) != key_of(REQUEST, BASE, None)
    assert key_of(replace(REQUEST), dict(BASE), None) == key_of(REQUEST, BASE, None)
