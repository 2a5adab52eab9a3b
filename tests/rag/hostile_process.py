"""A reader that does as each file says, in place of `rag.reader_process`: what a parser's mistakes could amount to."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.confined import serve
from rag.reader_process import read


def obey(header: dict[str, Any], data: bytes, reply: Callable[..., None]) -> None:
    """Loop, sleep, swell, crash, quit, write or print; read all else as it should be read."""
    order = data.decode().split(maxsplit=1)
    match order[0]:
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "swell":
            held = []
            while True:
                held.append(bytearray(16 << 20))
        case "crash":
            os.abort()
        case "quit":
            os._exit(3)
        case "write":
            with Path(order[1]).open("wb") as file:
                file.write(b"x")
        case "print":
            os.write(1, b"\0" * 12)
    read({**header, "name": header["name"]}, f"{os.getpid()}".encode(), reply)


if __name__ == "__main__":
    serve(obey)
