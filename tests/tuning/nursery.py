"""Apps and trainers that start at once: `python -m tests.tuning.nursery HOME` imports the libraries, then only forks.

It listens at `HOME/nursery`. Who connects and sends `app`, or the folder of a run, is sent the id of a new process: an
app that does what a page's clock does, or the real worker at its work. Only how a process comes to be is played.
"""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from tuning import answers, base, dialogues, queue, train, worker
from tuning.jobs import pump
from tuning.process import claim

LOADED = (answers, base, dialogues, train)
"""What a trainer imports late."""
DOOR = "nursery"


def ask(home: Path, what: str) -> int:
    """The id of a new process."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(home / DOOR))
        door.sendall(f"{what}\n".encode())
        return int(door.recv(64))


def app(home: Path) -> None:
    """Look at the queue now and then, until killed."""

    def spawn(folder: Path, module: str, ended: Callable[[], None]) -> None:
        claim(folder, ask(home, str(folder)))

    queue.spawn = spawn
    while True:
        pump(home)
        time.sleep(0.02)


def trainer(folder: Path) -> None:
    """The real worker."""
    output = os.open(folder / "output.txt", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    worker.main(folder)


def fork(does: Callable[[], object], door: socket.socket) -> int:
    """A process of its own session that does this and ends; nobody need wait for it."""
    child = os.fork()
    if child:
        return child
    try:
        door.close()
        os.setsid()
        does()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)


def main(home: Path) -> None:
    """Fork for whoever asks."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the dead leave no trace in the process table
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(home / DOOR))
        door.listen()
        while True:
            asking, _ = door.accept()
            with asking:
                what = asking.makefile().readline().strip()
                child = fork(lambda what=what: app(home) if what == "app" else trainer(Path(what)), door)
                try:
                    asking.sendall(str(child).encode())
                except OSError:
                    continue  # who asked was killed meanwhile


if __name__ == "__main__":
    main(Path(sys.argv[1]))
