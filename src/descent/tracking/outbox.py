"""What a run has said, in its own directory: an append-only log, the files with it, and how far both were shipped.

The process that trains appends; another one reads and ships. Neither waits for the other, and either may be killed at
any moment: a torn last line is cut off before the next is written, and what was shipped twice changes nothing.
"""

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from descent.errors import EnvironmentFault
from descent.tracking import records
from descent.tracking.records import (
    Damaged,
    Dataset,
    Files,
    Metrics,
    Model,
    Opened,
    Params,
    Record,
    Series,
    Status,
    Tags,
)

FOLDER = "outbox"
LOG, STATE, FILES = "log", "shipped.json", "files"

# Files travel apart from the rest: where they are kept may be away while the store takes points, and the reverse.
LANES: dict[str, tuple[type, ...]] = {
    "said": (Opened, Params, Tags, Metrics, Series, Dataset, Status),
    "files": (Files, Model),
}


class Writer:
    """Appends to a run's outbox; one that exists is continued, and what it holds already is not said again."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / FOLDER
        self._lock = threading.Lock()
        self._params: set[str] = set()
        self._points: set[tuple[str, int]] = set()
        self._next_step: dict[str, int] = {}
        self._number = 0
        with _writable(self.folder):
            (self.folder / FILES).mkdir(parents=True, exist_ok=True)
            self.continues = self._repair()
            self._log = os.open(self.folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            self._clear_unfinished()
            there = (path.name for path in (self.folder / FILES).iterdir())  # a kill may have left one that is not said
            self._number = max([self._number, *(int(name) for name in there if name.isdigit())])

    def append(self, record: Record) -> None:
        """It survives this process when this returns. Points and params that are there already are left out."""
        with self._lock:
            news = self._new(record)
            if news is not None:
                self._write(records.encode(news))

    def put(self, file: str, write: Callable[[Path], Any]) -> str:
        """The number of the folder in which `file` stands as `write` left it: complete when the number is given out."""
        with self.piece() as piece:
            piece.add(file, write)
        return piece.number

    @contextmanager
    def piece(self) -> Iterator["Piece"]:
        """A folder for several files, which is complete, all of them or none, when the body has ended."""
        with self._lock:
            self._number += 1
            piece = Piece(str(self._number), self.folder)
        with _writable(self.folder):
            piece.unfinished.mkdir()
        yield piece
        with _writable(self.folder):
            piece.unfinished.rename(self.folder / FILES / piece.number)

    def sync(self) -> None:
        """What was appended survives the machine as well."""
        with _writable(self.folder):
            os.fsync(self._log)

    def close(self) -> None:
        os.close(self._log)

    def _write(self, line: bytes) -> None:
        with _writable(self.folder):
            size = os.fstat(self._log).st_size
            try:
                if os.write(self._log, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                os.ftruncate(self._log, size)  # half a line would spoil the next one
                raise

    def _repair(self) -> bool:
        """Cut off a torn last line and learn what the others say; whether there were any."""
        log = self.folder / LOG
        if not log.exists():
            return False
        content = log.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(log, whole)
        for line in content[:whole].splitlines(keepends=True):
            try:
                self._remember(records.decode(line))
            except Damaged:
                continue  # the reader says so
        return whole > 0

    def _remember(self, record: Record) -> None:
        if isinstance(record, Params):
            self._params |= record.values.keys()
        elif isinstance(record, Metrics):
            self._points |= {(key, record.step) for key in record.values}
        elif isinstance(record, Series):
            self._next_step[record.key] = record.first_step + len(record.values)
        elif isinstance(record, Files | Model):
            self._number = max(self._number, int(record.folder))

    def _new(self, record: Record) -> Record | None:
        """The part of a record that has not been said before."""
        news: Record | None = record
        if isinstance(record, Params):
            fresh = {key: value for key, value in record.values.items() if key not in self._params}
            news = Params(fresh) if fresh else None
        elif isinstance(record, Metrics):
            values = {key: value for key, value in record.values.items() if (key, record.step) not in self._points}
            news = Metrics(values, record.step, record.timestamp) if values else None
        elif isinstance(record, Series):
            told = max(0, self._next_step.get(record.key, 0) - record.first_step)
            first = record.first_step + told
            news = Series(record.key, record.values[told:], first, record.started, record.ended)
            news = news if told < len(record.values) else None
        if news is not None:
            self._remember(news)
        return news

    def _clear_unfinished(self) -> None:
        """What a killed process was writing goes."""
        for path in (self.folder / FILES).glob("*.part"):
            shutil.rmtree(path, ignore_errors=True)


class Piece:
    """Files that travel together, while they are being written."""

    def __init__(self, number: str, outbox: Path) -> None:
        self.number, self._outbox = number, outbox
        self.unfinished = outbox / FILES / f"{number}.part"

    def add(self, file: str, write: Callable[[Path], Any]) -> None:
        """`write` is given the path to write to."""
        target = self.unfinished / file
        with _writable(self._outbox):
            target.parent.mkdir(parents=True, exist_ok=True)
            write(target)


class Reader:
    """Reads a run's outbox and keeps how far each lane of its delivery has come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = _read_state(folder / STATE)

    def first(self) -> Opened | None:
        """What the run said first; None where it did not come to that."""
        for record, _ in self.since(0):
            return record if isinstance(record, Opened) else None
        return None

    def holder(self) -> Opened | None:
        """What its last sitting said first, where that sitting has not said how it ended."""
        found: Opened | None = None
        for record, _ in self.since(0):
            if isinstance(record, Opened | Status):
                found = record if isinstance(record, Opened) else None
        return found

    def since(self, offset: int, *kinds: type[Any]) -> Iterator[tuple[Record | records.Fault, int]]:
        """Records from an offset on, each with where it ends. Stops at a line that is being written.

        Where kinds are given the others are passed over without being read.
        """
        if not (self.folder / LOG).exists():
            return
        with (self.folder / LOG).open("rb") as log:
            log.seek(offset)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                if kinds and not records.may_be(line, kinds):
                    yield "passed over", offset
                    continue
                try:
                    yield records.decode(line), offset
                except Damaged:
                    yield "damaged", offset

    def behind(self) -> int:
        """Records that have not been shipped."""
        return sum(1 for _ in self.since(min(int(self.state.get(lane, 0)) for lane in LANES)))

    def size(self) -> int:
        """Where the log ends now."""
        try:
            return (self.folder / LOG).stat().st_size
        except FileNotFoundError:
            return 0

    def keep(self, **changes: Any) -> None:
        """Remember, so that a kill after this sends at most what came later once more."""
        self.state.update(changes)
        temporary = self.folder / f"{STATE}.{os.getpid()}"
        temporary.write_text(json.dumps(self.state))
        temporary.replace(self.folder / STATE)

    def path(self, number: str) -> Path:
        """The folder of files of that number."""
        return self.folder / FILES / number


def stored_id(directory: Path) -> str | None:
    """The id under which the tracking store knows the run of a directory, where it knows it."""
    found = _read_state(directory / FOLDER / STATE).get("run_id")
    return None if found is None else str(found)


def _read_state(file: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return state


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Turns a disk's refusal into the line that a person needs."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise EnvironmentFault(
            f"tracking: {folder} cannot be written: {why}; make room and repeat the command"
        ) from error
