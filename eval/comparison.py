"""One question on its way from being asked to being voted on: what was sent, what came back, and in which order."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from eval.conversation import Conversation, searched_for
from eval.errors import InputError
from eval.parentage import parent_of
from eval.proofs import Proofs, proofs_of
from eval.setup import Setup, shown
from eval.variants import IDS, VARIANT, VARIANTS, four_requests
from eval.workbench import Workbench

if TYPE_CHECKING:
    from eval.form import Version
    from eval.vote import Vote
    from rag.followups import Searched
    from rag.index import Hit, Index
    from tuning.adapters import Adapter
    from tuning.base import Base
    from tuning.request import Answer, Request

REFRESH = 0.1
"""Seconds between two updates of the page. Decoding never waits for them."""
LONGEST_QUESTION = 4000
"""Characters."""


@dataclass
class Comparison:
    """The answers to one question, four or a pair. Lives on the server; the page sees only what it may."""

    question: str
    order: tuple[str, ...]
    """Variants as shown, left to right, top to bottom."""
    mode: str
    requests: "dict[str, Request]"
    """Of the variants shown; no other answer is computed."""
    hits: "Sequence[Hit]"
    configuration: dict[str, Any]
    searched: "Searched"
    conversation: Conversation = field(default_factory=Conversation)
    refused: bool = False
    """Nothing found comes near the question, and the variants with documents say so."""
    id: str = field(default_factory=lambda: uuid4().hex)
    answers: "dict[str, Answer]" = field(default_factory=dict)
    proofs: Proofs = field(default_factory=dict)
    """What supports the answers; not for the page before the vote."""
    finished_at: float = 0.0
    campaign: str = ""
    """The campaign that handed the prompt out, or nothing."""
    prompt_id: str = ""
    """The prompt's id in that campaign, or nothing."""
    task: str = ""
    """The prompt's topic or kind, or nothing."""
    form: "Version | None" = None
    """The rating form that the page shows."""
    saved: "Vote | None" = None
    """The vote that counts so far."""
    voted: bool = False
    """The answers are revealed, so that the vote is final."""
    stop: threading.Event = field(default_factory=threading.Event)

    def shown(self) -> "list[Answer | None]":
        """The answers in the order of the panes."""
        return [self.answers.get(variant) for variant in self.order]

    @property
    def blind(self) -> bool:
        return self.mode != "open"

    @property
    def roles(self) -> dict[str, str]:
        """What each variant shown is called once it is revealed: by its id, or `adapter` and `parent`."""
        if self.mode != "parent":
            return {name: name for name in self.order}
        return {name: "adapter" if VARIANT[name].tuned else "parent" for name in self.order}

    @property
    def done(self) -> bool:
        return bool(self.finished_at)

    @property
    def identical(self) -> tuple[tuple[str, ...], ...]:
        """Groups of variants that gave the same text."""
        groups: dict[str, list[str]] = {}
        for variant in IDS:
            if variant in self.answers:
                groups.setdefault(self.answers[variant].text, []).append(variant)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def prepare(workbench: Workbench, question: str, setup: Setup, conversation: Conversation | None = None) -> Comparison:
    """Find the passages once, word the requests, and shuffle the panes where the comparison is blind.

    With a `conversation` the question is its next turn.
    """
    from tuning.request import Sampling

    question = question.strip()
    if not question:
        raise InputError("The question is empty; type one.")
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"The question has {len(question)} characters; shorten it to {LONGEST_QUESTION}.")
    if not 1 <= setup.passages <= 10:
        raise InputError(f"{setup.passages} passages cannot be used; choose 1 to 10.")
    sampling = Sampling(setup.temperature, setup.top_p, setup.max_tokens, setup.seed)
    engine = workbench.engine()
    adapter = workbench.adapter(setup.adapter)
    parent = parent_of(workbench, adapter) if setup.mode == "parent" else None
    index = workbench.index(setup.index)
    conversation = conversation or Conversation()
    searched = searched_for(workbench, question, conversation, setup.rewrite)
    hits = index.search(searched.text, setup.passages)
    if not hits:
        raise InputError(f"The index {setup.index} holds no documents; add some on the Documents page.")
    floor = _against_floor(index, searched.text, hits) if setup.floor else None
    base, order = engine.base, shown(setup)
    requests = four_requests(
        question, hits, adapter.name, sampling, conversation.told(), parent.name if parent else None
    )
    return Comparison(
        question=question,
        order=order,
        mode=setup.mode,
        requests={variant: request for variant, request in requests.items() if variant in order},
        hits=hits,
        searched=searched,
        conversation=conversation,
        refused=bool(floor and floor["refused"]),
        configuration={
            "base": {
                "name": base.name,
                "digest": base.digest,
                "precision": base.precision,
                "compiled": engine.compiled,
            },
            "adapter": {"name": adapter.name, "digest": adapter.digest},
            **({"parent": _named(parent or base)} if setup.mode == "parent" else {}),
            "index": {"name": setup.index, "digest": index.digest, "embedder": index.embedder.identity},
            "sampling": {**vars(sampling)},
            "passages": [{"document": hit.document, "chunk": hit.chunk, "cosine": hit.cosine} for hit in hits],
            "searched": vars(searched),
            "floor": floor,
            "conversation": {"chosen": list(conversation.chosen), "messages_told": len(conversation.told())},
        },
    )


def _named(part: "Adapter | Base") -> dict[str, str]:
    return {"name": part.name, "digest": part.digest}


def _against_floor(index: "Index", question: str, hits: "Sequence[Hit]") -> dict[str, Any] | None:
    """How near the passages come and whether that is too little; None for an index without a floor."""
    from rag.floor import nearness, read_floor

    floor = read_floor(index)
    if floor is None:
        return None
    near = nearness(question, hits)
    return {
        "value": floor.value,
        "nearness": near,
        "cosine": max(hit.cosine for hit in hits),
        "refused": near < floor.value,
    }


def answer(workbench: Workbench, comparison: Comparison, user: str = "") -> Iterator[None]:
    """Fill `comparison.answers`, yielding at most every `REFRESH` seconds until all are finished.

    Decoding runs in a thread of its own and never waits for the reader. Closing this generator stops it after the step
    in progress; so does `comparison.stop`, which keeps what was written so far. Among `user`s the engine is fair.
    """
    done = threading.Event()
    failure: list[BaseException] = []

    def decode() -> None:
        try:
            _decode(workbench, comparison, user)
        except BaseException as error:  # told to the reader below
            failure.append(error)
        finally:
            done.set()

    # The context carries the visitor's identity, which a lent GPU is accounted to.
    threading.Thread(target=copy_context().run, args=(decode,), name="decoding", daemon=True).start()
    try:
        while not done.wait(REFRESH):
            yield
        if failure:
            raise failure[0]
        comparison.finished_at = time.time()
        yield
    finally:
        comparison.stop.set()


def _decode(workbench: Workbench, comparison: Comparison, user: str) -> None:
    comparison.answers = refused = refusals(comparison)
    asked = {variant: request for variant, request in comparison.requests.items() if variant not in refused}
    stream = workbench.generate(list(asked.values()), user, comparison.stop) if asked else iter([])
    for answers in stream:
        comparison.answers = {**dict(zip(asked, answers, strict=True)), **refused}
        if comparison.stop.is_set():
            stream.close()  # type: ignore[attr-defined]
            break
    failed = {given.error for given in comparison.answers.values() if given.finished == "failed"}
    if failed:  # which variant it was would tell the panes apart
        raise InputError(f"An answer could not be computed: {failed.pop()}")
    comparison.answers = {
        variant: given if given.finished else replace(given, text=given.text.strip(), finished="stopped")
        for variant, given in comparison.answers.items()
    }
    comparison.proofs = proofs_of(comparison.answers, comparison.hits, workbench.embedder())


def refusals(comparison: Comparison) -> "dict[str, Answer]":
    """The answers that no model writes: what the variants with documents say below the floor."""
    from rag.floor import REFUSAL
    from tuning.request import Answer

    if not comparison.refused:
        return {}
    return {
        variant.id: Answer(REFUSAL, finished="refused")
        for variant in VARIANTS
        if variant.documents and variant.id in comparison.requests
    }
