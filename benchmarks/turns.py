"""Loops beside each other on a machine whose speed wanders: each in a process of its own, one awake at a time.

The speed of a shared machine changes within seconds, and two fits one after the other would each have weather of
their own. Here they are stopped and woken by signals in short turns, and their clocks
stand still meanwhile. What a loop has started, as the process that ships its records, sleeps and wakes with it.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil
from pairing import Seconds

from descent import lifeline

TURN = 0.2  # seconds: short against the weather, long against filling a cache again
READY, GO, DONE = "ready", "go", "done"


class Gate:
    """Around what is timed, in a contender's process: nobody begins before all are there."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @contextmanager
    def __call__(self) -> Iterator[None]:
        gc.collect()
        self._pipe.send(READY)
        self._pipe.recv()
        yield
        self._pipe.send(DONE)


Fit = Callable[[], float]  # passes the gate, and says its seconds
Prepare = Callable[[Gate], Fit]


class _Contender:
    """A process, its end of the pipe, and for how long it has been stopped in all."""

    def __init__(self, prepare: Prepare, root: Path) -> None:
        context = multiprocessing.get_context("spawn")  # torch's threads do not outlive a fork
        self.pipe, theirs = context.Pipe()
        self._stopped = context.Value(ctypes.c_double, 0.0, lock=False)  # who is stopped could hold a lock
        self._since = 0.0
        self._awake: list[psutil.Process] = []
        root.mkdir(parents=True)
        self._process: SpawnProcess = context.Process(
            target=_contend, args=(prepare, root, theirs, self._stopped, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()

    def hear(self, word: str) -> None:
        heard = self.pipe.recv()
        assert heard == word, f"{heard} instead of {word}"

    def stop(self) -> None:
        with suppress(psutil.NoSuchProcess):
            ours = psutil.Process(self._process.pid)
            self._awake = [ours, *ours.children(recursive=True)]
        self._signal(signal.SIGSTOP)
        self._since = time.perf_counter()

    def wake(self) -> None:
        self._stopped.value += time.perf_counter() - self._since
        self._signal(signal.SIGCONT)

    def is_done_within(self, seconds: float) -> bool:
        if not self.pipe.poll(seconds):
            return False
        self.hear(DONE)
        return True

    def end(self) -> None:
        self._signal(signal.SIGCONT)
        self._process.kill()
        self._process.join()

    def _signal(self, number: int) -> None:
        for process in self._awake:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def taking_turns(contenders: Mapping[str, Prepare], rounds: int, root: Path) -> Seconds:
    """Everybody's seconds. New processes each round, so that the luck of one counts once."""
    seconds: Seconds = {name: [] for name in contenders}
    for number in range(rounds):
        for name, taken in zip(contenders, _round(list(contenders.values()), root / str(number)), strict=True):
            seconds[name].append(taken)
    return seconds


def _round(those: Sequence[Prepare], root: Path) -> list[float]:
    contenders: list[_Contender] = []
    try:
        for number, prepare in enumerate(those):
            contenders.append(_Contender(prepare, root / str(number)))
            contenders[-1].hear(READY)  # one after the other: they would be in each other's way
        _race(contenders)
        return [contender.pipe.recv() for contender in contenders]
    finally:
        for contender in contenders:
            contender.end()


def _race(contenders: Sequence[_Contender]) -> None:
    """From the gate to the last one's end; who has ended sleeps until then. Nobody always follows the same."""
    for contender in contenders:
        contender.stop()
        contender.pipe.send(GO)
    left = list(contenders)
    while left:
        left.reverse()
        for contender in list(left):
            contender.wake()
            if contender.is_done_within(TURN):
                left.remove(contender)
            contender.stop()
    for contender in contenders:
        contender.wake()


def _contend(prepare: Prepare, root: Path, pipe: Connection, stopped: ctypes.c_double, parent: int) -> None:
    lifeline.die_with_parent(parent)
    os.environ["DESCENT_ROOT"] = str(root)
    for name in ("perf_counter", "monotonic"):
        setattr(time, name, partial(_awake, getattr(time, name), stopped))
    pipe.send(prepare(Gate(pipe))())


def _awake(clock: Callable[[], float], stopped: ctypes.c_double) -> float:
    """What the clock says, less the time in which the process was stopped; asked again where it just was."""
    while True:
        pause = stopped.value
        seconds = clock() - pause
        if stopped.value == pause:
            return seconds
