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
from optuna.storages.journal._storage import JournalOperation
from optuna.trial import TrialState

from descent import door
from descent.errors import DataError

BLOCK = 4096
ABOUT_A_RUNNING_TRIAL = (
    JournalOperation.SET_TRIAL_PARAM,
    JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE,
    JournalOperation.SET_TRIAL_USER_ATTR,
)


class Journal(BaseJournalBackend):
    """Whole lines count, the rest of a last one does not."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offsets = {0: 0}  # record number → where it begins
        with file.open("ab"):
            pass

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Every whole record from that number on."""
        number = log_number_from
        if number not in self._offsets:
            number = max(known for known in self._offsets if known <= number)
        with self._file.open("rb") as file:
            file.seek(self._offsets[number])
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offsets[number + 1] = self._offsets[number] + len(line)
                if number >= log_number_from:
                    yield self._read(line, number)
                number += 1

    def _read(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except ValueError:
            hint = "take it from a backup, or name a new one with study=…"
            raise DataError(door.shortened(str(self._file), f": line {number + 1} is damaged; {hint}")) from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """It outlives every kill when this returns, and a loss of power too where more than a draw would be lost."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        # Without a buffer: what an interruption leaves in one would be written after the lock is gone.
        with self._file.open("r+b", buffering=0) as file, _locked(file.fileno()):
            file.seek(_end_of_the_last_line(file))
            file.truncate()
            while lines:
                lines = lines[file.write(lines) :]
            if not all(map(_can_be_drawn_again, logs)):
                os.fsync(file.fileno())


def _can_be_drawn_again(log: dict[str, Any]) -> bool:
    """Whether it only says that a trial runs, at which point and how far: lost, the same is drawn and trained anew."""
    what = log.get("op_code")
    return what in ABOUT_A_RUNNING_TRIAL or (
        what == JournalOperation.SET_TRIAL_STATE_VALUES and log["state"] == TrialState.RUNNING
    )


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
