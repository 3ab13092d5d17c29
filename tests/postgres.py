"""A PostgreSQL server of its own for a test: on a socket in a scratch folder, gone with the process that started it."""

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
DRIVERS = [name for name in ("psycopg", "psycopg2", "pg8000") if importlib.util.find_spec(name)]
READY = b"ready to accept connections"


def is_here() -> bool:
    """Whether there are a server to start and a driver to speak to it with."""
    return bool(BINARIES and DRIVERS)


def _dies_with_us() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """The address of an empty database; a durable one waits for the disk, as an ordinary server does."""
    folder = Path(tempfile.mkdtemp(prefix="descent-postgres-", dir="/tmp"))
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, **user)
    binaries, data = BINARIES[-1].parent, folder / "data"
    try:
        made = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run(made, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)
        command = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        command += [] if durable else ["-c", "fsync=off"]
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, preexec_fn=_dies_with_us, **user)
        assert process.stderr
        assert any(READY in line for line in process.stderr), "the server did not start"
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
