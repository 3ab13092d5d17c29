"""Starts the workers of a study, sees to it that none of its trials is lost, and says what happens when it happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from optuna.trial import FrozenTrial, TrialState

from descent import trials
from descent.errors import EnvironmentFault
from hydra_plugins.descent_sweeper._display import Told
from hydra_plugins.descent_sweeper._study import ENDED, OWNER, Queue
from hydra_plugins.descent_sweeper._voices import Ear
from hydra_plugins.descent_sweeper._worker import LOGS, PROGRAM, Plan

LOOK = 0.2  # seconds between two looks at the study
SECONDS_TO_END = 10.0
TOLD_TO_END = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # by somebody else: another worker goes on with its trial
OWN_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)


@dataclass
class Leader:
    """The workers of one study."""

    queue: Queue
    plan: Plan
    workers: int
    threads: int
    announce: Callable[[FrozenTrial], None]
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    interrupted: int = 0
    cards: Sequence[str] = ()  # graphics cards, where there are several
    places: dict[int, str | None] = field(default_factory=dict)  # process → its card
    ears: dict[int, Ear] = field(default_factory=dict)  # process → what it says
    told: dict[int, Told] = field(default_factory=dict)  # trial → how far it has come

    def run(self, display: AbstractContextManager[Callable[[], None]] | None = None) -> int:
        """Until nothing waits or somebody stops it; the number of the signal that did, or 0."""
        said = {trial.number for trial in self.queue.trials(*ENDED)}
        with self._signals(), display or nullcontext(lambda: None) as draw:
            try:
                while self._goes_on():
                    self._listen()
                    self._tell(said)
                    draw()
                    time.sleep(LOOK)
            finally:
                self._end_all()
                self.queue.recover()
                self._tell(said)
        return self.interrupted

    def _goes_on(self) -> bool:
        if self.interrupted:
            return False
        self._bury()
        self.queue.recover()
        waiting = 0 if self.queue.stopped else len(self.queue.waiting(self.plan.total))
        for _ in range(min(self.workers - len(self.processes), waiting)):
            self.processes.append(self._started())
        return bool(self.processes)

    def _bury(self) -> None:
        """Take note of workers that have ended, and of trials that ended them."""
        ended = [process for process in self.processes if process.poll() is not None]
        for process in ended:
            self.processes.remove(process)
            self.places.pop(process.pid, None)
            self.ears.pop(process.pid).close()
            if -process.returncode in OWN_CRASHES or _was_killed_for_memory(process):
                for number in self._trials_of(process):
                    self.queue.crashed(number, signal.Signals(-process.returncode).name)
            elif process.returncode == -signal.SIGKILL:
                for number in self._trials_of(process):
                    self.queue.killed(number, trials.progress(self.queue.directory / str(number)))
            elif process.returncode > 0 and process.returncode not in TOLD_TO_END:
                log = self.queue.directory / LOGS / "workers.log"
                raise EnvironmentFault(f"workers: one ended with exit code {process.returncode}; see {log}")

    def _trials_of(self, process: "subprocess.Popen[bytes]") -> list[int]:
        running = self.queue.trials(TrialState.RUNNING)
        return [trial.number for trial in running if (trial.user_attrs.get(OWNER) or {}).get("pid") == process.pid]

    def _started(self) -> "subprocess.Popen[bytes]":
        logs = self.queue.directory / LOGS
        logs.mkdir(exist_ok=True)
        card = self._free_card()
        with (logs / "workers.log").open("ab") as log:
            process, ear = heard(self.plan, self.threads, log, card)
        self.places[process.pid], self.ears[process.pid] = card, ear
        return process

    def _listen(self) -> None:
        for ear in self.ears.values():
            self.told.update({said.pop("number"): said for said in ear.heard()})

    def _free_card(self) -> str | None:
        """Of several graphics cards the one that the fewest of our workers use."""
        if len(self.cards) < 2:
            return None
        used = list(self.places.values())
        return min(self.cards, key=used.count)

    def _tell(self, said: set[int]) -> None:
        for trial in self.queue.trials(*ENDED):
            if trial.number not in said:
                said.add(trial.number)
                self.announce(trial)

    def _end_all(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_TO_END
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        for ear in self.ears.values():
            ear.close()
        self.ears.clear()

    @contextmanager
    def _signals(self) -> Iterator[None]:
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


def started(
    plan: Plan,
    threads: int,
    *,
    best: list[str] | None = None,
    log: IO[bytes] | None = None,
    card: str | None = None,
    voice: int | None = None,
) -> "subprocess.Popen[bytes]":
    """A worker; with `best` one that trains that point alone, and is seen; `voice` is what it speaks through."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM],
        env=environment(threads, card),
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=() if voice is None else (voice,),
    )
    assert process.stdin
    order = {"leader": os.getpid(), "plan": json.loads(plan.written()), "best": best, "voice": voice}
    with suppress(BrokenPipeError):
        process.stdin.write((json.dumps(order) + "\n").encode())
        process.stdin.close()
    return process


def heard(plan: Plan, threads: int, log: IO[bytes], card: str | None) -> tuple["subprocess.Popen[bytes]", Ear]:
    """A worker on its trials, and what it says of them."""
    ear = Ear()
    try:
        return started(plan, threads, log=log, card=card, voice=ear.other), ear
    finally:
        os.close(ear.other)


def environment(threads: int, card: str | None) -> dict[str, str]:
    """Of a worker: ours, this package, its threads and, of several graphics cards, its own."""
    paths = [str(Path(trials.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
    if card is not None:
        own["CUDA_VISIBLE_DEVICES"] = card
    return {**os.environ, **own}


def _was_killed_for_memory(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the kernel says that it ended this process for want of memory: then it was the trial's own doing."""
    if process.returncode != -signal.SIGKILL:
        return False
    with suppress(OSError, ValueError):
        events = Path("/sys/fs/cgroup/memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1]) > _memory_kills_before
    return False


def _memory_kills() -> int:
    with suppress(OSError, ValueError):
        events = Path("/sys/fs/cgroup/memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1])
    return 0


_memory_kills_before = _memory_kills()
