"""An AI judge behind any OpenAI-compatible endpoint: which of two answers is better, asked in both orders.

A judge that says something else once the answers change places has no opinion, and its vote is a tie; what cannot be
read is no vote at all. Its votes are stored as a rater of its own kind and never counted with those of people.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from eval.errors import InputError

TRIES = 5
"""Attempts at one call that was refused for a while or not answered."""
LONGEST_PAUSE = 120.0
"""Seconds that an endpoint may ask to wait before its call counts as failed."""
BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
INSTRUCTIONS = """You compare two answers to the same question.
Judge what is right, complete and useful, not length, style or order. {documents}
Reply with one JSON object and nothing else: {{"better": "1"}}, {{"better": "2"}} or {{"better": "tie"}}."""
REMINDER = (
    'That is not the JSON object that was asked for. Reply with {"better": "1"}, {"better": "2"} or {"better": "tie"}.'
)
THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL)
FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)


class JudgeError(RuntimeError):
    """One question could not be put to the judge, or its reply could not be read. The next one may go well."""


@dataclass(frozen=True)
class Settings:
    """Who judges. The key is in no message and no file."""

    url: str
    """Up to and including the version, say http://127.0.0.1:8000/v1."""
    model: str
    key: str = ""
    seconds: float = 60.0
    """How long one reply may take."""

    @property
    def rater(self) -> str:
        """The name that its votes carry."""
        return f"judge:{self.model}"[:200]

    @property
    def host(self) -> str:
        """Where prompts go to."""
        return urlsplit(self.url).netloc.rsplit("@", 1)[-1]

    @property
    def warning(self) -> str:
        """What a user must know before it is used."""
        return f"Questions, passages and answers leave this program: they are sent to {self.host} (model {self.model})."


def settings_of(environment: Mapping[str, str]) -> Settings | None:
    """The judge that FOURFOLD_JUDGE_URL and FOURFOLD_JUDGE_MODEL name; None where neither is set."""
    url = environment.get("FOURFOLD_JUDGE_URL", "").strip().rstrip("/")
    model = environment.get("FOURFOLD_JUDGE_MODEL", "").strip()
    if not url and not model:
        return None
    if not url or not model:
        raise InputError("A judge needs both FOURFOLD_JUDGE_URL and FOURFOLD_JUDGE_MODEL; set the one that is missing.")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise InputError(f"FOURFOLD_JUDGE_URL is {url!r}; give an address such as http://127.0.0.1:8000/v1.")
    if not model.isprintable():
        raise InputError("FOURFOLD_JUDGE_MODEL holds characters that cannot be printed; give the model's name.")
    return Settings(url, model, environment.get("FOURFOLD_JUDGE_KEY", ""))


@dataclass(frozen=True)
class Opinion:
    """What a judge says of two answers: `first`, `second` or `tie`, in the order given and with places changed."""

    straight: str
    swapped: str

    @property
    def consistent(self) -> bool:
        return self.straight == self.swapped

    @property
    def verdict(self) -> str:
        return self.straight if self.consistent else "tie"


class Judge:
    """Safe to share between threads."""

    def __init__(self, settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self._sleep = sleep
        headers = {"authorization": f"Bearer {settings.key}"} if settings.key else {}
        self._client = httpx.Client(timeout=settings.seconds, headers=headers, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def compare(self, question: str, answers: tuple[str, str], documents: str = "") -> Opinion:
        """Which of two answers is better, asked twice. Raises JudgeError; InputError where nothing can go well."""
        straight = self._ask(question, answers, documents)
        swapped = self._ask(question, (answers[1], answers[0]), documents)
        names = {"1": "first", "2": "second", "tie": "tie"}
        turned = {"1": "second", "2": "first", "tie": "tie"}
        return Opinion(names[straight], turned[swapped])

    def _ask(self, question: str, answers: tuple[str, str], documents: str) -> str:
        messages = _messages(question, answers, documents)
        reply = self._reply(messages)
        if (said := read(reply)) is not None:
            return said
        again = [*messages, {"role": "assistant", "content": reply[:2000]}, {"role": "user", "content": REMINDER}]
        if (said := read(self._reply(again))) is not None:
            return said
        raise JudgeError("its reply is not the JSON object that was asked for, twice")

    def _reply(self, messages: Sequence[Mapping[str, str]]) -> str:
        body = {"model": self.settings.model, "messages": list(messages), "temperature": 0}
        reason = ""
        for attempt in range(TRIES):
            pause = min(LONGEST_PAUSE, 2.0**attempt)
            try:
                response = self._client.post(f"{self.settings.url}/chat/completions", json=body)
            except httpx.TimeoutException:
                reason = f"no reply within {self.settings.seconds:g} s"
            except httpx.HTTPError as error:
                reason = f"{self.settings.host} cannot be reached ({str(error) or type(error).__name__})"
            else:
                if response.is_success:
                    return _text(response)
                self._refuse(response)
                reason = f"{self.settings.host} is busy ({response.status_code})"
                pause = _pause(response, pause)
            if attempt + 1 < TRIES:
                self._sleep(pause)
        raise JudgeError(reason)

    def _refuse(self, response: httpx.Response) -> None:
        """Raise InputError for what the same call can only meet again."""
        status, host = response.status_code, self.settings.host
        if status in BUSY:
            return
        if status in (401, 403):
            raise InputError(f"{host} does not accept the key ({status}); set FOURFOLD_JUDGE_KEY to one that it does.")
        if status == 404:
            raise InputError(
                f"{host} has no {self.settings.model} under {urlsplit(self.settings.url).path or '/'} (404);"
                " check FOURFOLD_JUDGE_URL, which mostly ends with /v1, and FOURFOLD_JUDGE_MODEL."
            )
        said = " ".join(response.text.split())[:200]
        raise InputError(f"{host} refused the call ({status}: {said}); check FOURFOLD_JUDGE_URL and its model.")


def read(reply: str) -> str | None:
    """`1`, `2` or `tie` where the reply is the object asked for, thoughts and a code fence aside; else None."""
    text = THOUGHTS.sub("", reply).strip()
    if fenced := FENCE.match(text):
        text = fenced[1]
    try:
        said = json.loads(text)
    except ValueError:
        return None
    better = said.get("better") if isinstance(said, dict) and set(said) == {"better"} else None
    return str(better) if better in ("1", "2", "tie", 1, 2) and not isinstance(better, bool) else None


def _messages(question: str, answers: tuple[str, str], documents: str) -> list[dict[str, str]]:
    rule = "What the documents say counts as right." if documents else "No documents are at hand."
    parts = [f"<documents>\n{documents}\n</documents>"] if documents else []
    parts += [f"<question>\n{question}\n</question>"]
    parts += [f'<answer number="{number}">\n{answer}\n</answer>' for number, answer in enumerate(answers, 1)]
    return [
        {"role": "system", "content": INSTRUCTIONS.format(documents=rule)},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


def _text(response: httpx.Response) -> str:
    try:
        content: Any = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise JudgeError("its answer has not the form of a chat completion") from error
    return content if isinstance(content, str) else ""


def _pause(response: httpx.Response, usual: float) -> float:
    """Seconds to wait, as Retry-After asks for in seconds or by a date."""
    asked = response.headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except (ValueError, TypeError):
            return usual
    if seconds > LONGEST_PAUSE:
        raise JudgeError(f"the endpoint asks to wait {seconds:.0f} s, longer than is waited here")
    return max(0.0, seconds)
