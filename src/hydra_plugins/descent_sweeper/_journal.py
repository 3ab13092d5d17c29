"""A study as a file of JSON lines that no kill can spoil.

Optuna's own file backend leaves a torn record behind when its writer is killed, the next record is then appended to it,
and the study cannot be read any more; its lock outlives its holder. Here the kernel's lock ends with its holder, and
who appends first cuts off what an earlier writer has left unfinished: nobody was ever told that it was written.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

BLOCK = 4096


class Journal(BaseJournalBackend):
    """Whole lines count, the rest of a last one does not."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offsets = {0: 0}  # record number → where it begins
        with file.open("ab"):
            pass

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every whole record from that number on."""
        number = max(known for known in self._offsets if known <= log_number_from)
        with self._file.open("rb") as file:
            file.seek(self._offsets[number])
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offsets[number + 1] = self._offsets[number] + len(line)
                if number >= log_number_from:
                    yield json.loads(line)
                number += 1

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Durable when this returns."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._file.open("r+b") as file, _locked(file.fileno()):
            file.seek(_end_of_the_last_line(file))
            file.truncate()
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _end_of_the_last_line(file: Any) -> int:
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - BLOCK)
        file.seek(start)
        block = file.read(end - start)
        if (newline := block.rfind(b"\n")) >= 0:
            return int(start + newline + 1)
        end = start
    return 0
