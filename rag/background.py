"""A run over an index that goes on by itself, whatever becomes of the page that asked for it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:  # these pull in torch, whose import takes seconds that a page or --help should not
    from .adding import AddReport
    from .reembedding import ReembedReport


@dataclass
class Adding:
    """A run over `total` files or documents of the index called `index`; grows while it runs, read by any thread."""

    index: str
    total: int
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)
    """(name, outcome, reason or "") of each that is done, as `rag.adding.Progress` is told them."""
    report: "AddReport | ReembedReport | None" = None
    """Set at the end."""
    error: str = ""
    """What stopped the run, in words; documents stored before that are kept."""
    folder: str = ""
    """The folder that is synced, "" where single files are added or documents embedded."""

    def tell(self, name: str, outcome: str, reason: str) -> None:
        """One more is done."""
        self.outcomes.append((name, outcome, reason))

    def grow(self, more: int) -> None:
        """There turned out to be so many more, in an archive say."""
        self.total += more

    @property
    def finished(self) -> bool:
        return self.report is not None or bool(self.error)

    def start(self, run: "Callable[[Adding], AddReport | ReembedReport]") -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, args=(run,), name="adding", daemon=True).start()

    def _run(self, run: "Callable[[Adding], AddReport | ReembedReport]") -> None:
        try:
            self.report = run(self)
        except InputError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"It stopped ({error!r}); what was stored before is kept, start again for the rest."
            raise
