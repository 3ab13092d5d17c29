"""Who holds a directory: one living process at a time. A killed one holds nothing.

`owner.json` names the holder by host, process id and the time its process started, so that a number that was given away
again is told apart. A second claim is refused before it changes anything on disk.
"""

import itertools
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from descent.durable import laid_out, write_whole
from descent.errors import EnvironmentFault
from descent.rules import LONGEST_LINE

OWNER, LOCK = "owner.json", ".owner.lock"
ELSEWHERE = "choose another place with hydra.run.dir=…"
CLOCK_STEP = 1.0  # seconds by which the system's clock may have been set since
SECONDS_FOR_LOCK = 30

_held: dict[Path, int] = {}  # by this process, and how often


@dataclass(frozen=True)
class Owner:
    """A process, told apart from a later one of the same number by when it started."""

    host: str
    pid: int
    started: float


def this_process() -> Owner:
    """The one that asks."""
    return _process(os.getpid())


@cache
def _process(pid: int) -> Owner:
    return Owner(socket.gethostname(), pid, round(psutil.Process(pid).create_time(), 2))


def is_alive(pid: int, started: float) -> bool:
    """Whether that process is still at work on this machine; a zombie is not."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - started) <= CLOCK_STEP)
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False


def claim(directory: Path, elsewhere: str = ELSEWHERE) -> None:
    """Make the directory if need be and hold it, or EnvironmentFault; what this process holds it may claim again."""
    place = directory.resolve()
    if place not in _held:
        _refuse_held(place, elsewhere)
        place.mkdir(parents=True, exist_ok=True)
        with _locked(place):
            _refuse_held(place, elsewhere)  # another may have been quicker
            write_whole(place / OWNER, laid_out(asdict(this_process())))  # it counts as long as the process lives
    _held[place] = _held.get(place, 0) + 1


def release(directory: Path) -> None:
    """Undo one claim; with the last one the directory is free."""
    place = directory.resolve()
    if place not in _held:
        return
    _held[place] -= 1
    if _held[place]:
        return
    del _held[place]
    if place.is_dir() and _is_us(owner_of(place)):
        with _locked(place):
            (place / OWNER).unlink(missing_ok=True)


def forget_elsewhere(directory: Path) -> None:
    """Let go what another machine's process held, by somebody who knows that it is gone."""
    owner = owner_of(directory)
    if owner is not None and owner.host != this_process().host:
        (directory / OWNER).unlink(missing_ok=True)


def release_all() -> None:
    """At the end of a process that claimed and was cut short."""
    for place in list(_held):
        _held[place] = 1
        release(place)


@contextmanager
def held(directory: Path, elsewhere: str = ELSEWHERE) -> Iterator[None]:
    """The directory belongs to this process as long as the body runs; `elsewhere` says which knob names another."""
    claim(directory, elsewhere)
    try:
        yield
    finally:
        release(directory)


def holds(directory: Path) -> bool:
    """Whether this process has claimed it."""
    return directory.resolve() in _held


def owner_of(directory: Path) -> Owner | None:
    """Whom `owner.json` names; None where there is none that can be read."""
    try:
        said = json.loads((directory / OWNER).read_text())
        return Owner(str(said["host"]), int(said["pid"]), float(said["started"]))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def _is_us(owner: Owner | None) -> bool:
    us = this_process()
    if owner is None or (owner.host, owner.pid) != (us.host, us.pid):
        return False
    return abs(owner.started - us.started) <= CLOCK_STEP


def _refuse_held(place: Path, elsewhere: str) -> None:
    owner = owner_of(place)
    if owner is None or _is_us(owner):
        return
    if owner.host != this_process().host:
        hint = f"process {owner.pid} of {owner.host[:40]}; if it is gone, delete that file"
        raise EnvironmentFault(_line(place / OWNER, f"held by {hint}"))
    if is_alive(owner.pid, owner.started):
        hint = f"wait for it, stop it, or {elsewhere}"
        raise EnvironmentFault(_line(place, f"held by process {owner.pid}, which is alive; {hint}"))


def _line(place: Path, rest: str) -> str:
    """The end of a long path says more than its beginning."""
    room = LONGEST_LINE - len(rest) - 2
    shown = str(place) if len(str(place)) <= room else f"…{str(place)[1 - room :]}"
    return f"{shown}: {rest}"


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """For the length of a look and a write. The lock's file goes while it is held, as filelock allows for."""
    try:
        with FileLock(place / LOCK, timeout=SECONDS_FOR_LOCK):
            try:
                yield
            finally:
                (place / LOCK).unlink(missing_ok=True)
    except Timeout:
        raise EnvironmentFault(_line(place / LOCK, f"locked for {SECONDS_FOR_LOCK} s; try again")) from None


def made(directory: Path) -> Path:
    """A directory that did not exist before: this one, or with a number after it where another was quicker."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    names = itertools.chain([directory.name], (f"{directory.name}-{number}" for number in itertools.count(2)))
    for name in names:
        with suppress(FileExistsError):
            directory.with_name(name).mkdir()
            return directory.with_name(name)
    raise AssertionError("there is always a next number")
