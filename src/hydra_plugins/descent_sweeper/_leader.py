"""Starts the workers of a study, sees to it that none of its trials is lost, and says what happens when it happens."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from descent import trials
from hydra_plugins.descent_sweeper._crew import LOOK, Crew, Process, release, was_ended
from hydra_plugins.descent_sweeper._study import ENDED, OWNER, Queue
from hydra_plugins.descent_sweeper._worker import PROGRAM, Plan


@dataclass(kw_only=True)
class Leader(Crew):
    """The workers of one study, which lies in their directory."""

    queue: Queue
    plan: Plan
    announce: Callable[[FrozenTrial], None]

    def run(self, display: AbstractContextManager[Callable[[], None]] | None = None) -> int:
        """Until nothing waits or somebody stops it; the number of the signal that did, or 0."""
        said = {trial.number for trial in self.queue.trials(*ENDED)}
        with self.signals(), display or nullcontext(lambda: None) as draw:
            try:
                while self._goes_on():
                    self.listen()
                    self._tell(said)
                    draw()
                    time.sleep(LOOK)
            finally:
                self.dismiss()
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
            self.hire(PROGRAM, {"plan": json.loads(self.plan.written())})
        release(self.ahead)
        return bool(self.processes)

    def _bury(self) -> None:
        """Take note of workers that have ended, and of trials that ended them."""
        ended = self.ended()
        for process in ended:
            if self.own_doing(process):
                for number in self._trial_of(process):
                    self.queue.crashed(number, signal.Signals(-process.returncode).name)
            elif was_ended(process):
                for number in self._trial_of(process):
                    self.queue.killed(number, trials.progress(self.queue.directory / str(number)))
        self.refuse_broken(ended)

    def _trial_of(self, process: Process) -> list[int]:
        """What it was at, if at anything; of an earlier one only the end was not told yet."""
        running = self.queue.trials(TrialState.RUNNING)
        of_it = [trial for trial in running if (trial.user_attrs.get(OWNER) or {}).get("pid") == process.pid]
        return [max(of_it, key=lambda trial: trial.datetime_start or datetime.min).number] if of_it else []

    def _tell(self, said: set[int]) -> None:
        for trial in self.queue.trials(*ENDED):
            if trial.number not in said:
                said.add(trial.number)
                self.announce(trial)
