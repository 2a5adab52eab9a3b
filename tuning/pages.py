"""Which pages of the key-value pool belong to whom: reserved before a row starts, shared where rows begin alike.

Bookkeeping only, no tensors. A full page whose tokens are known is findable by all tokens up to its end, so that a row
which begins as an earlier one did reads that one's pages instead of computing them anew (as in vLLM, Kwon et al. 2023).
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from itertools import count, pairwise

Name = tuple[Hashable, tuple[int, ...]]
"""What stands in a page: who or which page comes before it, and its tokens."""

PAGE = 16
"""Tokens a page."""


def pages_for(tokens: int) -> int:
    """Pages that hold so many tokens."""
    return -(-tokens // PAGE)


class Pages:
    """A pool's pages. Each is held by one or more rows, or kept because it may be wanted again, or free."""

    def __init__(self, pages: int) -> None:
        self.count = pages
        self._free = list(range(pages - 1, -1, -1))
        self._holders: dict[int, int] = {}
        self._kept: OrderedDict[int, None] = OrderedDict()  # held by none, the least lately wanted first
        self._known: dict[Name, int] = {}
        self._names: dict[int, Name] = {}
        # A page's number is given again to other tokens, a serial never: names built on serials cannot be mistaken.
        self._serials: dict[int, int] = {}
        self._next = count()

    @property
    def available(self) -> int:
        """Pages that a new row could get."""
        return len(self._free) + len(self._kept)

    def find(self, owner: Hashable, ids: Sequence[int]) -> list[int]:
        """The longest run of known pages that `ids` begins with; `owner` is whose weights computed them."""
        found: list[int] = []
        before: Hashable = ("owner", owner)
        for tokens in _full_pages(ids):
            page = self._known.get((before, tokens))
            if page is None:
                break
            found.append(page)
            before = self._serials[page]
        return found

    def reserve(self, shared: Sequence[int], pages: int) -> list[int] | None:
        """Hold `shared` pages and as many others as make `pages` in all; None, and none held, if too few are left."""
        resting = sum(page in self._kept for page in shared)
        wanted = pages - len(shared)
        if wanted > self.available - resting:
            return None
        for page in shared:
            self._kept.pop(page, None)
            self._holders[page] = self._holders.get(page, 0) + 1
        fresh = [self._take() for _ in range(wanted)]
        self._holders.update(dict.fromkeys(fresh, 1))
        return [*shared, *fresh]

    def publish(self, owner: Hashable, ids: Sequence[int], pages: Sequence[int]) -> None:
        """Let others find the pages that `ids`, all of them computed, fill to the brim."""
        before: Hashable = ("owner", owner)
        for tokens, page in zip(_full_pages(ids), pages, strict=False):
            name = (before, tokens)
            if name not in self._known:
                if page in self._names:  # known behind a page that was given away since
                    del self._known[self._names[page]]
                self._known[name] = page
                self._names[page] = name
                self._serials.setdefault(page, next(self._next))  # what is known behind it stays so
            before = self._serials[self._known[name]]

    def release(self, pages: Sequence[int]) -> None:
        """A row lets go of its pages. The known ones are kept until room is needed; a row's last page goes first."""
        for page in reversed(pages):
            self._holders[page] -= 1
            if not self._holders[page]:
                del self._holders[page]
                if page in self._names:
                    self._kept[page] = None
                else:
                    self._free.append(page)

    def forget(self) -> None:
        """Keep no page that nobody holds."""
        while self._kept:
            self._free.append(self._evict())

    def _take(self) -> int:
        return self._free.pop() if self._free else self._evict()

    def _evict(self) -> int:
        page, _ = self._kept.popitem(last=False)
        del self._known[self._names.pop(page)], self._serials[page]
        return page


def _full_pages(ids: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return (tuple(ids[start:end]) for start, end in pairwise(range(0, len(ids) + 1, PAGE)))
