"""The mirror against a Hub played on this machine, through the real client: whatever happens there, no vote is lost."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from huggingface_hub import constants

from eval.__main__ import main
from eval.errors import InputError
from eval.mirror import Mirror, in_words, mirror_of
from eval.mirror_tab import NOT_LASTING, mirror_line
from eval.votes import Votes, database_url
from eval.votes_repo import RepoError, VotesRepo
from tests.eval.fake_hub import FakeHub, running
from tests.eval.making import make_vote


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        files = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        monkeypatch.setenv("FOURFOLD_VOTES_REPO", "me/votes")
        monkeypatch.setattr(
            "huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda seconds: None, time=time.time)
        )
        yield hub


@pytest.fixture
def log(home: Path) -> Iterator[Votes]:
    votes = Votes(database_url(home))
    yield votes
    votes.close()


def mirror_at(votes: Votes, home: Path, seconds: float = 5.0, public: bool = False) -> Mirror:
    return Mirror(votes, VotesRepo("me/votes", public, seconds), home)


def ids(votes: Votes) -> list[str]:
    return [record["id"] for _, record in votes.records()]


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_votes_are_pushed_once_and_read_back_in_their_order(
    hub: FakeHub, log: Votes, home: Path, tmp_path: Path
) -> None:
    """Another machine that has nothing but the repository ends with the same log: re-votes, reveals and all."""
    log.append(make_vote("c0", choice="rag"))
    log.append(make_vote("c0", choice="tuned"))
    log.reveal("c0")
    log.append(make_vote("c1", question="Warum?\x00 \ud800"))
    mirror = mirror_at(log, home)
    assert mirror.status().waiting == 3
    assert mirror.push() == 3
    assert mirror.push() == 0
    assert hub.private is True
    log.append(make_vote("c2"))
    assert mirror.status().waiting == 1
    assert mirror.push() == 1
    assert len(hub.files) == 2, "a file is written once, and what is new goes into the next one"
    assert mirror.status().waiting == 0

    elsewhere = Votes(database_url(tmp_path / "elsewhere"))
    other = mirror_at(elsewhere, tmp_path / "elsewhere")
    assert other.pull() == 5
    assert ids(elsewhere) == ids(log)
    assert elsewhere.votes() == log.votes()
    with pytest.raises(InputError, match="revealed"):
        elsewhere.append(make_vote("c0", choice="base"))
    assert other.status().waiting == 0
    assert other.push() == 0, "what came from there is not sent back"
    before = len(hub.requests)
    assert other.pull() == 0
    assert not any("resolve" in request for request in hub.requests[before:]), "a file is read once"


def test_processes_write_files_of_their_own(hub: FakeHub, log: Votes, home: Path, tmp_path: Path) -> None:
    elsewhere = Votes(database_url(tmp_path / "elsewhere"))
    first, second = mirror_at(log, home), mirror_at(elsewhere, tmp_path / "elsewhere")
    log.append(make_vote("c0"))
    elsewhere.append(make_vote("c1"))
    first.push()
    second.push()
    assert len({path.rsplit("/", 1)[0] for path in hub.files}) == 2
    assert all(
        path.startswith(f"votes/{socket.gethostname()}-") and path.endswith("/00001.jsonl") for path in hub.files
    )
    assert (first.pull(), second.pull()) == (1, 1)
    assert sorted(ids(log)) == sorted(ids(elsewhere))


def test_a_restart_with_the_disk_sends_only_what_is_new(hub: FakeHub, log: Votes, home: Path) -> None:
    log.append(make_vote("c0"))
    mirror_at(log, home).push()
    log.append(make_vote("c1"))
    again = mirror_at(log, home)
    assert again.status().waiting == 1
    assert again.push() == 1
    assert sorted(len(content.splitlines()) for content in hub.files.values()) == [1, 1]


def test_a_restart_in_the_middle_of_reading_back_neither_doubles_nor_forgets(
    hub: FakeHub, log: Votes, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        log.append(make_vote(f"c{number}"))
    mirror_at(log, home).push()
    elsewhere = Votes(database_url(tmp_path / "elsewhere"))
    merge, calls = Votes.merge, 0

    def cut(self: Votes, records: list[dict]) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return merge(self, records)

    monkeypatch.setattr("eval.mirror.MERGED_AT_ONCE", 2)
    monkeypatch.setattr(Votes, "merge", cut)
    with pytest.raises(KeyboardInterrupt):
        mirror_at(elsewhere, tmp_path / "elsewhere").pull()
    assert len(ids(elsewhere)) == 2
    elsewhere.append(make_vote("mine"))
    again = mirror_at(elsewhere, tmp_path / "elsewhere")
    assert again.status().waiting == 1, "what came from there does not wait to be sent there"
    assert again.pull() == 3
    assert again.push() == 1
    assert json.loads(next(content for content in hub.files.values() if b"mine" in content))["comparison"] == "mine"
    assert again.status().waiting == 0


def test_a_log_that_was_lost_is_noticed(hub: FakeHub, log: Votes, home: Path, tmp_path: Path) -> None:
    """The folder stayed and the database did not: what its notes say of numbers is about another log."""
    for number in range(3):
        log.append(make_vote(f"c{number}"))
    mirror_at(log, home).push()
    fresh = Votes(database_url(tmp_path / "fresh"))
    for number in range(4):
        fresh.append(make_vote(f"new {number}"))
    again = mirror_at(fresh, home)
    assert again.pull() == 3
    assert again.push() == 4
    assert fresh.count() == 7


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_is_settled_at_once(hub: FakeHub, log: Votes, home: Path, status: int) -> None:
    log.append(make_vote())
    hub.statuses = [status, status]
    assert mirror_at(log, home).push() == 1
    assert len(hub.files) == 1


def test_a_refused_token_is_told_with_its_remedy_and_mended_by_the_next_one(
    hub: FakeHub, log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(make_vote())
    mirror = mirror_at(log, home)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(RepoError, match="does not accept the token; set HF_TOKEN to a token that may write"):
        mirror.push()
    assert mirror.status().waiting == 1
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert mirror.push() == 1


def test_nobody_there(log: Votes, home: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    log.append(make_vote())
    with pytest.raises(RepoError, match="the Hub cannot be reached"):
        mirror_at(log, home).push()


def test_a_server_that_never_answers_is_given_up(hub: FakeHub, log: Votes, home: Path) -> None:
    """The file may have arrived all the same: it is sent again under its name, and read back once."""
    log.append(make_vote("c0"))
    mirror = mirror_at(log, home, seconds=0.6)
    hub.lose_answers = 1
    with pytest.raises(RepoError, match=r"did not answer within 0\.6 s"):
        mirror.push()
    assert mirror.status().waiting == 1
    log.append(make_vote("c1"))
    assert mirror.push() == 2
    assert len(hub.files) == 1


def test_a_public_repository_is_refused_unless_told(hub: FakeHub, log: Votes, home: Path) -> None:
    log.append(make_vote())
    hub.private = False
    with pytest.raises(RepoError, match="me/votes is public and votes hold prompts; make it private"):
        mirror_at(log, home).push()
    assert hub.files == {}
    assert mirror_at(log, home, public=True).push() == 1


def test_lines_that_are_no_events_are_counted_and_stop_nothing(hub: FakeHub, log: Votes, home: Path) -> None:
    good = Votes(database_url(home / "good"))
    good.append(make_vote("c0"))
    record = good.records()[0][1]
    forged = record | {"id": "f" * 32, "comparison": "another"}
    newer = record | {"id": "e" * 32, "payload": json.dumps({"schema": 99})}
    broken = [json.dumps(forged), json.dumps(newer), '{"id": "torn', "[]", json.dumps({"kind": "vote"})]
    hub.private = True
    hub.files["votes/other/00001.jsonl"] = "\n".join([*broken, json.dumps(record)]).encode()
    hub.files["README.md"] = b"not ours"
    mirror = mirror_at(log, home)
    assert mirror.pull() == 1
    assert mirror.status().unreadable == len(broken)
    assert "5 lines there are no votes" in in_words(mirror.status())
    assert log.count() == 1


def test_in_the_background_no_failure_reaches_a_voter(
    hub: FakeHub, log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("eval.mirror.EVERY", 0.05)
    hub.down = True
    mirror = mirror_at(log, home)
    mirror.start()
    until(lambda: mirror.status().trouble)
    begun = time.monotonic()
    log.append(make_vote("c0"))
    assert time.monotonic() - begun < 1
    words = in_words(mirror.status())
    assert words.startswith("All votes are on this machine's disk; 1 vote is not yet pushed to me/votes: the Hub")
    assert "Next attempt in" in words
    hub.down = False
    until(lambda: mirror.status().waiting == 0)
    until(lambda: not mirror.status().trouble)
    assert in_words(mirror.status()) == "Votes are also kept in me/votes; no votes are not yet pushed."
    mirror.close()
    assert capsys.readouterr().err.count("not pushed") <= 2, "a failure that stays the same is told once"


def test_the_end_sends_what_waits_and_is_bounded(
    hub: FakeHub, log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.mirror.EVERY", 3600.0)
    mirror = mirror_at(log, home)
    mirror.start()
    until(lambda: any("tree" in request for request in hub.requests))
    log.append(make_vote("c0"))
    mirror.close()
    assert len(hub.files) == 1
    slow = mirror_at(log, home)
    hub.delay = 3.0
    slow.start()
    log.append(make_vote("c1"))
    begun = time.monotonic()
    slow.close(seconds=0.3)
    assert time.monotonic() - begun < 2
    assert slow.status().waiting == 1
    hub.delay = 0.0
    slow.close()


def test_unset_means_off(log: Votes, home: Path) -> None:
    before = set(threading.enumerate())
    assert mirror_of(log, home, {}) is None
    with pytest.raises(InputError, match="'nonsense', which is no repository; name it owner/name"):
        mirror_of(log, home, {"FOURFOLD_VOTES_REPO": "nonsense"})
    assert mirror_of(log, home, {"FOURFOLD_VOTES_REPO": "me/votes"}) is not None
    assert not any(thread.name == "mirror" for thread in set(threading.enumerate()) - before), "none starts by itself"


def test_the_command(
    hub: FakeHub, log: Votes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(make_vote())
    assert main(["mirror"]) == 0
    assert "1 vote is not yet pushed" in capsys.readouterr().out
    assert main(["mirror", "--push", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["pushed"], result["waiting"], result["repo"]) == (1, 0, "me/votes")
    assert main(["mirror", "--pull"]) == 0
    assert capsys.readouterr().out.startswith("0 events read back from me/votes.")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert main(["mirror", "--push"]) == 0, "nothing waits, so nothing is asked of the Hub"
    assert main(["mirror", "--pull"]) == 2
    assert "Nothing is lost, but me/votes was not reached: the Hub does not accept" in capsys.readouterr().err
    monkeypatch.delenv("FOURFOLD_VOTES_REPO")
    assert main(["mirror"]) == 2
    assert "FOURFOLD_VOTES_REPO is not set" in capsys.readouterr().err


def test_the_page_warns_where_the_disk_goes_with_the_machine(log: Votes, home: Path) -> None:
    def said(*given: object) -> list[str]:
        async def build() -> gr.Blocks:  # where no loop runs, gradio makes some and leaves them open
            with gr.Blocks(analytics_enabled=False) as page:
                mirror_line(*given)  # type: ignore[arg-type]
            return page

        page = asyncio.run(build())
        return [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]

    assert said(None) == []
    assert said(None, False) == [NOT_LASTING]
    assert len(said(mirror_at(log, home))) == 1
