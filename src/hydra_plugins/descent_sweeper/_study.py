"""A study as a queue: trials wait, a worker claims one, runs it and tells what came of it.

The leader puts as many trials into the queue as the study is to have. A claim and the claimer's mark are one
transaction under a lock: a trial that is running belongs to a process that is alive, or goes back into the queue.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from descent import trials
from hydra_plugins.descent_sweeper import _samplers, _storages
from hydra_plugins.descent_sweeper._crew import MOST_CRASHES, MOST_KILLS
from hydra_plugins.descent_sweeper._search_space import Parameter, Point, drawn, named
from hydra_plugins.descent_sweeper._stopping import Stopping, little_left

LOCK, PLAN = ".study.lock", "study.json"
Direction = Literal["minimize", "maximize"]
OWNER, CRASHES, CAUSE, STOPPED, CLOSED = "owner", "crashes", "cause", "stopped", "closed"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
KILLS = "kills"
SECONDS_BETWEEN_TRIES = 0.002  # to get the lock, which is held for about as long

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Claim:
    """A trial that this process is to run."""

    number: int
    point: Point
    trial: Trial


class Queue:
    """One study in one directory, shared by the leader and its workers."""

    def __init__(
        self,
        directory: Path,
        parameters: Sequence[Parameter],
        storage: str = _storages.JOURNAL,
        name: str = _storages.NAME,
    ) -> None:
        self.directory, self.parameters = directory, tuple(parameters)
        self._distributions = {one.name: _samplers.distribution(one) for one in parameters}
        self._where, self._name = storage, name
        self.code = ""  # the mark of what this process makes trials with
        self._storage: BaseStorage
        self.study: Study

    def create(self, directions: Sequence[Direction]) -> None:
        """Open the study, making it where there is none."""
        with self._locked(), _storages.answering(self._where):
            self._storage = _storages.opened(self._where, self.directory, make=True)
            self.study = optuna.create_study(
                study_name=self._name, storage=self._storage, directions=list(directions), load_if_exists=True
            )

    def open(self) -> None:
        """Open the study that the leader has made."""
        with _storages.answering(self._where):
            self._storage = _storages.opened(self._where, self.directory, make=False)
            self.study = optuna.load_study(study_name=self._name, storage=self._storage)

    def extend(self, total: int, first: Sequence[Point]) -> None:
        """Let so many trials exist; the first ones at given points."""
        with self._locked():
            for number in range(len(self.trials()), total):
                fixed = named(self.parameters, first[number]) if number < len(first) else {}
                self.study.add_trial(create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": fixed}))

    def not_tried(self, first: Sequence[Point]) -> list[int]:
        """The numbers of those first points whose trials exist already, and began elsewhere."""
        begun = [trial.system_attrs.get("fixed_params", {}) for trial in self.trials()]
        pairs = zip(begun, first, strict=False)
        return [number for number, (was, point) in enumerate(pairs) if was != named(self.parameters, point)]

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """In the order of their numbers."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def waiting(self, total: int) -> list[FrozenTrial]:
        """Those that are wanted: an earlier command may have asked for more."""
        return [trial for trial in self.trials(TrialState.WAITING) if trial.number < total]

    def claim(
        self, sampler: str, settings: dict[str, Any], seed: int, stopping: Stopping, total: int = sys.maxsize
    ) -> Claim | None:
        """The next waiting trial with its point; None where none waits or the search was stopped."""
        with self._locked():
            if not self.stopped and (reason := stopping.reason(self.trials())):
                self.stop(reason)
            if self.stopped or not (waiting := self.waiting(total)):
                return None
            first = min(waiting, key=lambda trial: trial.number)
            self._storage.set_trial_state_values(first._trial_id, TrialState.RUNNING)
            self._mark(first, OWNER, {**asdict(trials.this_process()), "code": self.code})
        self.study.sampler = _samplers.sampler_for(sampler, self.parameters, settings, seed, first.number)
        trial = Trial(self.study, first._trial_id)
        if reason := little_left(self._left(trial), settings):
            with self._locked():
                self.stop(reason)
                self._requeue(first)
            return None
        return Claim(first.number, self._draw(trial), trial)

    def _left(self, trial: Trial) -> float | None:
        """What a sampler that measures it expects of this trial at most; the study does not know its point yet."""
        sampler: Any = self.study.sampler
        return sampler.left if getattr(sampler, "measures", False) and trial.relative_params is not None else None

    def _draw(self, trial: Trial) -> Point:
        """One parameter after another: what an earlier one chose decides which later ones exist."""
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.exists_in(drawn(self.parameters, values)):
                values[parameter.name] = trial._suggest(parameter.name, self._distributions[parameter.name])
        return drawn(self.parameters, values)

    def finish(self, claim: Claim, state: TrialState, values: Sequence[float] | None = None, cause: str = "") -> None:
        """What came of a trial, once: a second answer changes nothing."""
        if cause:
            claim.trial.set_user_attr(CAUSE, cause)
        self.study.tell(claim.trial, list(values) if values is not None else None, state, skip_if_finished=True)

    def give_back(self, claim: Claim) -> None:
        """Into the queue again, to be gone on with: its worker was told to stop."""
        with self._locked():
            self._requeue(self.trials()[claim.number])

    def recover(self) -> list[int]:
        """Trials whose worker is gone go back into the queue; returns their numbers.

        Who holds the study's directory is its only leader, and workers end with their leader: one of another machine is
        gone as well, for its owner.json keeps everybody out until somebody who knows has deleted it.
        """
        if not self._seem_lost():
            return []  # as at nearly every look: nobody has waited for the lock
        with self._locked():
            gone = self._seem_lost()
            # Read again: one may have told its end, and ended, between the first look and the look for its process.
            orphans = [trial for trial in self.trials(TrialState.RUNNING) if trial.number in gone] if gone else []
            for trial in orphans:
                trials.forget_elsewhere(self.directory / str(trial.number))
                self._requeue(trial)
        return [trial.number for trial in orphans]

    def _seem_lost(self) -> set[int]:
        """Running trials whose worker is gone; among them may be one that is just being claimed, or has just ended."""
        return {trial.number for trial in self.trials(TrialState.RUNNING) if not _is_owned(trial)}

    def crashed(self, number: int, how: str) -> bool:
        """A worker was ended by its own trial; True where that has now happened too often and the trial is FAILED."""
        with self._locked():
            trial = self.trials()[number]
            if trial.state != TrialState.RUNNING:
                return False
            crashes = int(trial.user_attrs.get(CRASHES, 0)) + 1
            self._mark(trial, CRASHES, crashes)
            if crashes < MOST_CRASHES:
                self._requeue(trial)
                return False
            self._fail(trial, f"its process ended {crashes} times: {how}")
            return True

    def killed(self, number: int, progress: str) -> bool:
        """A worker was killed by nobody of ours; True where its trial is FAILED, which never gets any further.

        Without control groups nothing says that memory was short. A trial that is killed from outside goes on from
        where it was; one that takes too much is killed at the same place each time.
        """
        with self._locked():
            trial = self.trials()[number]
            if trial.state != TrialState.RUNNING:
                return False
            before = trial.user_attrs.get(KILLS) or {}
            kills = int(before.get("count", 0)) + 1 if before.get("progress") == progress else 1
            self._mark(trial, KILLS, {"count": kills, "progress": progress})
            if kills < MOST_KILLS:
                self._requeue(trial)
                return False
            self._fail(trial, f"its process was killed {kills} times before it got any further: is memory short?")
            return True

    def stop(self, reason: str) -> None:
        """No worker claims any more."""
        self.study.set_user_attr(STOPPED, reason)

    def begin_sitting(self, facts: Mapping[str, str]) -> None:
        """Forget an earlier stop, and keep what this command says of the study."""
        known = self.study.user_attrs
        for name, value in {**facts, STOPPED: "", CLOSED: ""}.items():
            if known.get(name, "") != value:
                self.study.set_user_attr(name, value)

    def close(self, refit: bool) -> None:
        """The best one has been trained once more and tested: nothing is left to be done."""
        self.study.set_user_attr(CLOSED, _closing(self.ended, refit))

    def is_closed(self, refit: bool) -> bool:
        """Whether nothing has happened since."""
        return bool(self.study.user_attrs.get(CLOSED) == _closing(self.ended, refit))

    @property
    def stopped(self) -> str | None:
        """Why nobody claims any more."""
        return str(self.study.user_attrs.get(STOPPED) or "") or None

    @property
    def ended(self) -> int:
        """Trials that count: finished, pruned and failed."""
        return len(self.trials(*ENDED))

    def point_of(self, trial: FrozenTrial) -> Point:
        """What a trial has drawn."""
        return drawn(self.parameters, trial.params)

    def _requeue(self, trial: FrozenTrial) -> None:
        self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _fail(self, trial: FrozenTrial, cause: str) -> None:
        self._mark(trial, CAUSE, cause)
        self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)

    def _mark(self, trial: FrozenTrial, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial._trial_id, name, value)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self.directory / LOCK, poll_interval=SECONDS_BETWEEN_TRIES):
            yield


def _closing(ended: int, refit: bool) -> str:
    return f"{ended} trials, {'refit' if refit else 'as it was'}"


def _is_owned(trial: FrozenTrial) -> bool:
    owner = trial.user_attrs.get(OWNER)
    if not owner:
        return False
    if owner["host"] != trials.this_process().host:
        return False
    return trials.is_alive(int(owner["pid"]), float(owner["started"]))


def described(parameters: Sequence[Parameter]) -> dict[str, str]:
    """The space as it is kept beside the study and compared with a later one."""
    return {parameter.name: f"{parameter.key}: {parameter.described}" for parameter in parameters}


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What keeps two spaces from being the same."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name} {old.get(name, 'absent')} → {new.get(name, 'absent')}" for name in names]


def read_plan(directory: Path) -> dict[str, Any] | None:
    """What the study of a directory was begun with."""
    try:
        return dict(json.loads((directory / PLAN).read_text()))
    except (FileNotFoundError, ValueError):
        return None
