"""How much one visitor may ask: so much at once, so much a minute. Addresses are never kept, only salted hashes."""

import hashlib
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eval.errors import InputError

SALT_SECONDS = 24 * 3600


class Limits:
    """Admission by visitor. Forgets everything when the process ends; the salt of the hashes changes every day."""

    def __init__(self, at_once: int = 4, per_minute: int = 30, clock: Callable[[], float] = time.monotonic) -> None:
        self.at_once, self.per_minute = at_once, per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}
        self._salt, self._salted = secrets.token_bytes(16), clock()

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold one of this visitor's places while the block runs. Raises InputError where they have to wait."""
        with self._lock:
            key = self._key(address)
            recent = self._recent.setdefault(key, deque())
            while recent and recent[0] <= self._clock() - 60:
                recent.popleft()
            if self._running[key] >= self.at_once:
                raise InputError(f"{self.at_once} of your questions are still being answered; stop one or wait for it.")
            if len(recent) >= self.per_minute:
                wait = 60 - (self._clock() - recent[0])
                raise InputError(f"More than {self.per_minute} questions in a minute; ask again in {wait:.0f} s.")
            recent.append(self._clock())
            self._running[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[key] -= 1
                self._running += Counter()  # drops the visitors that have nothing running

    def _key(self, address: str) -> str:
        if self._clock() - self._salted > SALT_SECONDS:
            self._salt, self._salted = secrets.token_bytes(16), self._clock()
            self._recent.clear()
        return hashlib.sha256(self._salt + address.encode()).hexdigest()
