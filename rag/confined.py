"""A process of our own that works under limits of time and memory, and is killed when it passes them.

Both ends talk in messages over pipes: a JSON object and bytes beside it. Neither end runs anything that the other sent.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

Message = tuple[dict[str, Any], bytes]
_LENGTHS = struct.Struct(">IQ")  # of the JSON and of the bytes
_OUT_OF_MEMORY = 77  # exit status
_PACKAGES = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Limits:
    """`seconds` for one answer, in processor time and on the clock; `megabytes` of address space for the process."""

    seconds: int = 60
    megabytes: int = 2048


class Ended(Exception):
    """The process ended before it answered; the message is the predicate of a sentence about what it was given."""


class Confined:
    """`python -m module` as a process that is started at once and can write no file.

    One thread at a time may use it. Once `Ended` was raised it is of no more use.
    """

    def __init__(self, module: str, limits: Limits) -> None:
        self._limits = limits
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-W", "ignore", "-m", module, str(limits.seconds), str(limits.megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_PACKAGES,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a thread's stack counts as memory, and none is used
            start_new_session=True,  # an interrupt at the terminal is the parent's to handle
        )
        self.owner = os.getpid()

    def ask(self, header: dict[str, Any], data: bytes = b"") -> Message:
        """Send a message and wait for the answer. Raises Ended when the process passes its limits or breaks."""
        return self._timed(header, data)

    def more(self) -> Message:
        """Wait for a further answer, where one message has several. Raises Ended."""
        return self._timed(None, b"")

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was still to be sent has no reader
                stream.close()  # type: ignore[union-attr]

    def _timed(self, header: dict[str, Any] | None, data: bytes) -> Message:
        timer = threading.Timer(self._limits.seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            if header is not None:
                send(self._process.stdin, header, data)  # type: ignore[arg-type]
            answer = receive(self._process.stdout)  # type: ignore[arg-type]
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            with suppress(
                subprocess.TimeoutExpired
            ):  # its status is the reason, so it must not be killed while it ends
                self._process.wait(timeout=10)
            self.close()
            raise Ended(self._reason())
        return answer

    def _expire(self) -> None:
        self._late = True
        self._process.kill()

    def _reason(self) -> str:
        status = self._process.returncode
        if self._late or status == -signal.SIGXCPU:
            return f"takes longer than {self._limits.seconds} s to read"
        if status in (_OUT_OF_MEMORY, -signal.SIGKILL):
            return f"needs more than {self._limits.megabytes} MB of memory to read"
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        return f"makes its reader fail ({how})"


def serve(answer: Any) -> None:
    """The other end: hand each message to `answer(header, data, reply)` under the limits of the command line.

    `reply(header, data)` sends one message. Returns when the parent is gone.
    """
    seconds, megabytes = int(sys.argv[1]), int(sys.argv[2])
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not be taken for an answer
    _confine(megabytes)
    try:
        while (message := receive(sys.stdin.buffer)) is not None:
            _allow(seconds)
            answer(*message, lambda header, data=b"": send(out, header, data))
            del message
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)
    except BrokenPipeError:
        os._exit(0)


def send(stream: BinaryIO, header: dict[str, Any], data: bytes = b"") -> None:
    """Write one message."""
    head = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(head), len(data)) + head)
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """Read one message, or None where the stream ends before it does."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    size, more = _LENGTHS.unpack(lengths)
    head, data = stream.read(size), stream.read(more)
    return (json.loads(head), data) if len(head) == size and len(data) == more else None


def _confine(megabytes: int) -> None:
    """Limit this process for good, as far as the system can: no file written, no core, bounded memory."""
    if sys.platform == "win32":
        return
    import resource

    for limit, value in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, megabytes << 20),
    ):
        with suppress(OSError, ValueError):  # macOS knows no limit of the address space; the clock ends what swells
            resource.setrlimit(limit, (value, value))


def _allow(seconds: int) -> None:
    """Allow so much processor time from now on, which ends a loop even if the parent is gone."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
