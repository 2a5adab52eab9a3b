"""What the Documents page shows as HTML. Every word of a document or a file name is escaped here."""

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from .marking import marks

if TYPE_CHECKING:
    from .hits import Found, Hit
    from .index import Index
    from .library import Adding
    from .snapshot import StoredDocument

STYLE = """<style>
.passage { border-left: 3px solid var(--primary-500); margin: 10px 0; padding: 4px 12px; }
.passage header { display: flex; flex-wrap: wrap; gap: 2px 12px; color: var(--body-text-color-subdued);
  font-size: var(--text-sm); }
.passage { cursor: pointer; }
.passage:hover { background: color-mix(in srgb, var(--primary-500) 6%, transparent); }
.passage header button { all: unset; cursor: pointer; color: var(--body-text-color); overflow-wrap: anywhere;
  font-weight: 600; text-decoration: underline dotted; text-underline-offset: 3px; }
.passage header button:focus-visible { outline: 2px solid var(--primary-500); }
.passage p { white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; color: var(--body-text-color); }
.passage mark { background: color-mix(in srgb, var(--primary-500) 25%, transparent); color: inherit;
  border-radius: 3px; }
.adding progress { width: 100%; height: 10px; accent-color: var(--primary-500); }
.listing { max-height: 360px; overflow-y: auto; margin: 6px 0; }
.listing div { display: flex; flex-wrap: wrap; gap: 0 14px; padding: 5px 0; font-size: var(--text-sm);
  color: var(--body-text-color); overflow-wrap: anywhere; border-top: 1px solid var(--border-color-primary); }
.listing span { color: var(--body-text-color-subdued); }
.listing span.outcome { flex: 0 0 76px; }
.listing .failed .outcome { color: #dc2626; font-weight: 600; }
.dark .listing .failed .outcome { color: #f87171; }
</style>"""
OUTCOMES = ("added", "updated", "unchanged", "removed", "embedded", "failed")
"""What can become of a file or document, in the order in which it is told."""
BOX = "tick “Even if none of its files is left”"
"""What the page has in place of the command's --allow-empty."""
LISTED = 200
"""Rows of the table of files: a page that lists thousands is slow and unread."""


def state_text(index: "Index", documents: "Sequence[StoredDocument]", folders: bool) -> str:
    """The index's state and size as Markdown; the folders that it follows only with `folders`."""
    from .summary import summary

    held = summary(index.store)
    chunks = sum(document.chunks for document in documents)
    behind = max(held.lacking.values())
    caches = f"to be built for {_count(behind, 'chunk')} by the next search" if behind else "up to date"
    lines = [
        f"**{_count(len(documents), 'document')}** · {_count(chunks, 'chunk')} · {size_words(held.bytes)} on disk",
        f"Embedder `{index.embedder.identity}` · {_cut(index)}",
        f"Generation {held.generation:,} · search caches {caches}",
    ]
    if filling := held.filling:
        done = f"{filling.documents:,} of {_count(held.documents, 'document')}"
        lines.append(f"Being embedded anew with `{filling.embedder}`, {filling.chunking}: {done}")
    if folders and held.folders:
        lines.append("Follows " + ", ".join(f"`{folder.replace('`', '')}`" for folder in held.folders))
    return "  \n".join(lines)


def size_words(size: int) -> str:
    """Bytes in words."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def adding_html(adding: "Adding | None") -> str:
    """How far the run is, and what became of each file; failures first."""
    if adding is None:
        return ""
    done = len(adding.outcomes)
    counts = Counter(outcome for _, outcome, _ in adding.outcomes)
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]) or "reading"
    files = f"files of {escape(adding.folder)}" if adding.folder else "files"
    head = f"{done} of {adding.total} {files} into {escape(adding.index)}: {summary}"
    if adding.report:
        head += f" ({_count(adding.report.chunks, 'chunk')} in {adding.report.seconds:.1f} s)"
    if left_out := getattr(adding.report, "left_out", None):
        kinds = ", ".join(f"{count} {kind}" for kind, count in left_out.items())
        head += f"<br>left out, since they are not read: {escape(kinds)}"
    if adding.error:
        head += f"<br><b>{escape(adding.error.replace('say --allow-empty', BOX))}</b>"
    rows = sorted(adding.outcomes, key=lambda row: row[1] != "failed")
    below = f"{adding.folder}/" if adding.folder else ""
    body = "".join(
        f'<div class="{outcome}" role="listitem"><span class="outcome">{outcome}</span>'
        f"<b>{escape(name.removeprefix(below))}</b><span>{escape(reason.removeprefix(name).strip())}</span></div>"
        for name, outcome, reason in rows[:LISTED]
    )
    bar = f'<progress max="{adding.total}" value="{done}" aria-label="Files done"></progress>'
    bar = "" if adding.finished else bar
    return f'<div class="adding" role="status"><p>{head}</p>{bar}{_listing(body, done)}</div>'


def documents_html(documents: "Sequence[StoredDocument]", shown: Callable[[str], str]) -> str:
    """The documents by name, with their size and age; `shown` is what a name looks like to this visitor."""
    body = ""
    for document in documents[:LISTED]:
        size = _count(document.pages, "page") if document.pages else _count(document.characters, "character")
        others = f" · the same as {', '.join(map(shown, document.names[1:]))}" if document.names[1:] else ""
        added = document.added[:16].replace("T", " ")
        first = document.entries[0]
        label = " · ".join((first.date, *(f"#{tag}" for tag in first.tags), f"added {added} UTC"))
        body += (
            f'<div role="listitem"><b>{escape(shown(document.name))}</b>'
            f"<span>{size} · {_count(document.chunks, 'chunk')} · {escape(label + others)}</span></div>"
        )
    return _listing(body, len(documents))


def _cut(index: "Index") -> str:
    overlap = f", {index.chunking.overlap} of them repeated" if index.chunking.overlap else ""
    earlier = "" if index.chunking.even else ", cut as earlier versions did; *How documents are cut* cuts them anew"
    return f"chunks of {index.chunking.size} tokens{overlap}{earlier}"


def found_html(found: "Found", question: str, shown: Callable[[str], str], places: "Sequence[str]") -> str:
    """The passages, best first, each with where it stands, how each method scores it, and the question's words marked.

    `shown` is what a name looks like to this visitor, `places` what stands for each hit where it is clicked.
    """
    if not found.hits:
        return "<p>Nothing was found.</p>"
    body = "".join(
        f'<article class="passage" data-place="{escape(place)}"><header>'
        f'<button type="button" title="Show it in its document">'
        f"[{number}] {escape(shown(hit.document))}</button><span>{_place(hit)}</span>"
        f"<span>{_scores(hit)}</span>{_same(hit, shown)}</header><p>{_marked(hit.text, question)}</p></article>"
        for number, (hit, place) in enumerate(zip(found.hits, places, strict=True), 1)
    )
    read = f", {1000 * found.rerank_seconds:.0f} of them to rerank {found.read}" if found.read else ""
    return f'<p role="status">{_count(len(found.hits), "passage")} in {1000 * found.seconds:.0f} ms{read}</p>{body}'


def _scores(hit: "Hit") -> str:
    scores = (("cosine", hit.cosine), ("BM25", hit.bm25), ("both", hit.fused), ("rerank", hit.rerank))
    return " · ".join(f"{name} {score:.3f}" for name, score in scores if score is not None)


def _same(hit: "Hit", shown: Callable[[str], str]) -> str:
    return f"<span>the same in {escape(', '.join(map(shown, hit.same)))}</span>" if hit.same else ""


def _marked(text: str, question: str) -> str:
    """The text with the words of the question marked, all of it escaped."""
    body, written = "", 0
    for start, end in marks(text, question):
        body += f"{escape(text[written:start])}<mark>{escape(text[start:end])}</mark>"
        written = end
    return body + escape(text[written:])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listing(body: str, total: int) -> str:
    more = f"<p>and {total - LISTED:,} more</p>" if total > LISTED else ""
    return f'<div class="listing" role="list">{body}</div>{more}'


def _place(hit: "Hit") -> str:
    place = f"page {hit.page}" if hit.page else f"character {hit.start:,}"
    return f"{place} · {escape(hit.heading)}" if hit.heading else place
