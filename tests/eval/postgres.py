"""A PostgreSQL server of the tests' own: a fresh cluster in a temporary folder, reached by a socket in it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def folder_of_programs() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the path."""
    found = [Path(path).parent for path in [shutil.which("postgres")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "pg_ctl").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """The URL of a database on a server that runs while the block does; skips the test where it cannot be started."""
    pytest.importorskip("psycopg", reason="no psycopg: install Fourfold with its postgres extra")
    programs = folder_of_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine: install Debian's package postgresql")
    # Not pytest's folder: nobody else may look into that, and its name is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="fourfold-postgres-") as name:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(name, "postgres", "postgres")
            as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}

        def run(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", f"{name}/data", *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=name, timeout=120, **as_user)

        options = f"-c listen_addresses='' -c unix_socket_directories='{name}' -c max_connections=60"
        try:
            run("initdb", "-U", "fourfold", "-A", "trust", "-E", "UTF8", "--no-sync")
            run("pg_ctl", "-w", "-l", f"{name}/log", "-o", options, "start")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"PostgreSQL does not start here: {error.stderr.decode(errors='replace').strip()[-300:]}")
        try:
            yield f"postgresql+psycopg://fourfold@/postgres?host={name}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
