"""Worker processes of a sweep: hired, heard, each on a graphics card of its own, and dismissed whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from descent import trials
from descent.errors import EnvironmentFault
from hydra_plugins.descent_sweeper._display import Told
from hydra_plugins.descent_sweeper._voices import ORDER, Ear
from hydra_plugins.descent_sweeper._worker import LOGS

WORKERS_LOG = "workers.log"
LOOK = 0.2  # seconds between two looks at the workers
MOST_CRASHES = 3  # of one trial's process, by its own doing
MOST_KILLS = 8  # at the same place: from outside that does not happen by chance
SECONDS_TO_END = 10.0
TOLD_TO_END = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # by somebody else: another worker goes on with its trial
OWN_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)
FROM_OUTSIDE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # that end a process by no doing of its trial
MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")
Process = subprocess.Popen[bytes]


@dataclass(kw_only=True)
class Crew:
    """At most so many workers, with so many threads each."""

    directory: Path
    workers: int
    threads: int
    cards: Sequence[str] = ()  # graphics cards, where there are several
    processes: list[Process] = field(default_factory=list)
    interrupted: int = 0
    places: dict[int, str | None] = field(default_factory=dict)  # process → its card
    ears: dict[int, Ear] = field(default_factory=dict)  # process → what it says
    told: dict[int, Told] = field(default_factory=dict)  # trial → how far it has come
    memory_kills: list[int] = field(default_factory=lambda: [_memory_kills()])  # at the last looks
    ahead: list[tuple[Process, Ear]] = field(default_factory=list)  # that have no order yet
    taken: set[int] = field(default_factory=set)  # those of them that have one: what they say at first nobody reads

    def hire(self, program: str, order: Mapping[str, Any], *, more: bool = False) -> Process:
        """One worker more; with `more` it may be sent further orders."""
        log, card = self.directory / LOGS / WORKERS_LOG, self._free_card()
        log.parent.mkdir(exist_ok=True)
        if card is None and (found := self._one_ahead()):
            process, ear = found
            self.taken.add(process.pid)
        else:
            with log.open("ab") as file:
                process, ear = started(program, self.threads, log=file, card=card)
        self.processes.append(process)
        self.places[process.pid], self.ears[process.pid] = card, ear
        send(process, {"leader": os.getpid(), "voice": ear.other, "log": str(log), **order})
        if not more:
            hang_up(process)
        return process

    def _one_ahead(self) -> tuple[Process, Ear] | None:
        while self.ahead:
            process, ear = self.ahead.pop()
            if process.poll() is None:
                return process, ear
            release([(process, ear)])
        return None

    def ended(self) -> list[Process]:
        """Those that are no more, each once."""
        found = [process for process in self.processes if process.poll() is not None]
        self.memory_kills = [*self.memory_kills, _memory_kills()][-3:]  # it counts a kill before the process is no more
        for process in found:
            self.processes.remove(process)
            self.places.pop(process.pid, None)
            hang_up(process)
            self._listen_to(process)
            self.ears.pop(process.pid).close()
        return found

    def refuse_broken(self, ended: Sequence[Process]) -> None:
        """A worker that cannot work at all is a fault of the environment; one started with a log says why."""
        for process in ended:
            if process.pid not in self.taken and process.returncode > 0 and process.returncode not in TOLD_TO_END:
                log = self.directory / LOGS / WORKERS_LOG
                raise EnvironmentFault(f"workers: one ended with exit code {process.returncode}; see {log}")

    def own_doing(self, process: Process) -> bool:
        """Whether its trial ended it: a crash, or no memory left, where the kernel has just told of that."""
        is_short = process.returncode == -signal.SIGKILL and self.memory_kills[-1] > self.memory_kills[0]
        return -process.returncode in OWN_CRASHES or is_short

    def listen(self) -> None:
        """To everybody."""
        for process in self.processes:
            self._listen_to(process)

    def _listen_to(self, process: Process) -> None:
        for said in self.ears[process.pid].heard():
            self.take(process, said)

    def take(self, process: Process, said: dict[str, Any]) -> None:
        """What a worker has said: how far its trial has come, or what is to be shipped."""
        if ORDER in said:
            trials.ship(said[ORDER])
        else:
            self.told[said.pop("number")] = said

    def _free_card(self) -> str | None:
        """Of several graphics cards the one that the fewest of our workers use."""
        if len(self.cards) < 2:
            return None
        used = list(self.places.values())
        return min(self.cards, key=used.count)

    def dismiss(self) -> None:
        """Told to end, killed where they do not, and heard to their last word."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_TO_END
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for process in self.processes:
            hang_up(process)
            self._listen_to(process)
            self.ears.pop(process.pid).close()
        self.processes.clear()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """The first one is noted, the second one kills."""

        def note(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                for process in self.processes:
                    process.kill()
            self.interrupted = number

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def started_ahead(program: str, count: int, threads: int) -> Iterator[list[tuple[Process, Ear]]]:
    """Workers that import while their leader has other things to do; those that nobody has taken by the end go again.

    Nothing is written for them, and none is taken where each is to have a graphics card of its own.
    """
    ahead: list[tuple[Process, Ear]] = []
    try:
        for _ in range(count):
            ahead.append(started(program, threads))  # one by one: a later one that fails leaves no earlier one behind
        yield ahead
    finally:
        release(ahead)


def release(ahead: list[tuple[Process, Ear]]) -> None:
    """Workers that nobody needs."""
    while ahead:
        process, ear = ahead.pop()
        process.kill()
        process.wait()
        hang_up(process)
        ear.close()


def started(
    program: str, threads: int, *, log: IO[bytes] | int = subprocess.DEVNULL, card: str | None = None
) -> tuple[Process, Ear]:
    """A process that waits for an order, and the pipe through which it is heard."""
    ear = Ear()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            env=environment(threads, card),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(ear.other,),
        )
    except BaseException:
        ear.close()
        raise
    finally:
        os.close(ear.other)
    return process, ear


def send(process: Process, order: Mapping[str, Any]) -> None:
    """One line; a worker that has just died is noticed elsewhere."""
    assert process.stdin
    with suppress(BrokenPipeError):
        process.stdin.write((json.dumps(order) + "\n").encode())
        process.stdin.flush()


def hang_up(process: Process) -> None:
    """Nothing more is sent; what one that has died did not read is lost with it."""
    if process.stdin:
        with suppress(BrokenPipeError):
            process.stdin.close()


def was_ended(process: Process) -> bool:
    """By a signal that nobody sends to stop a program."""
    return process.returncode < 0 and -process.returncode not in FROM_OUTSIDE


def environment(threads: int, card: str | None) -> dict[str, str]:
    """Of a worker: ours, this package, its threads and, of several graphics cards, its own."""
    paths = [str(Path(trials.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
    if card is not None:
        own["CUDA_VISIBLE_DEVICES"] = card
    return {**os.environ, **own}


def threads_of(settings: Any, workers: int) -> int:
    """Of each worker: one, unless the command says otherwise."""
    threads = 1 if settings.threads == "auto" else int(settings.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads * workers > cores:
        print(f"warning: {workers} workers with {threads} threads each on {cores} cores: each will be slower")
    return threads


def _memory_kills() -> int:
    """Processes here that the kernel has ended for want of memory; where it tells."""
    with suppress(OSError, ValueError):
        events = MEMORY_EVENTS.read_text().split()
        return int(events[events.index("oom_kill") + 1])
    return 0
