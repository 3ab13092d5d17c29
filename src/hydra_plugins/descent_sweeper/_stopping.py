"""When a search has done enough: a function of its trials, asked before each claim, so that counts are exact."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hydra_plugins.descent_sweeper._front import Direction, extended


@dataclass(frozen=True)
class Stopping:
    """`patience` counts finished trials in a row without a better one; a pruned one is such a trial too."""

    maximize: bool
    patience: int | None = None
    target: float | None = None
    min_improvement: float = 0.0  # what is no better than by that is no improvement
    max_failures: int | None = None
    deadline: float | None = None  # of the clock that time.time() reads
    directions: Sequence[Direction] = ()  # of several objectives: a better trial is one that no earlier one beats

    @property
    def learns(self) -> bool:
        """Whether what came of a trial may be a reason: the next one is then not begun before it is told."""
        return any(limit is not None for limit in (self.patience, self.target, self.max_failures))

    def reason(self, trials: Sequence[FrozenTrial]) -> str | None:
        """Why no further trial should begin; None to go on."""
        failed = sum(trial.state == TrialState.FAIL for trial in trials)
        if self.max_failures is not None and failed >= self.max_failures:
            return f"{failed} trials failed (max_failures={self.max_failures})"
        if self.deadline is not None and time.time() >= self.deadline:
            return "timeout: its time is over"
        if self.directions:
            return self._no_patience(self._since_new_on_front(trials))
        if len(values := self._values(trials)) == 0:
            return None
        best = max(values) if self.maximize else min(values)
        if self.target is not None and (best >= self.target if self.maximize else best <= self.target):
            return f"target {self.target:g} reached: {best:g}"
        return self._no_patience(self._since_better(values))

    def _no_patience(self, since: int) -> str | None:
        if self.patience is None or since < self.patience:
            return None
        return f"no improvement in {since} trials (search.patience={self.patience})"

    def _since_new_on_front(self, trials: Sequence[FrozenTrial]) -> int:
        found: list[FrozenTrial] = []
        since = 0
        for trial in _ended(trials):
            before, found = found, extended(found, trial, self.directions)
            since = since + 1 if found is before else 0
        return since

    def _values(self, trials: Sequence[FrozenTrial]) -> list[float]:
        """Of every trial that has ended without failing, in the order of their ends; pruned ones are no better."""
        ended = _ended(trials)
        worst = -math.inf if self.maximize else math.inf
        return [
            trial.value if trial.state == TrialState.COMPLETE and trial.value is not None else worst for trial in ended
        ]

    def _since_better(self, values: Sequence[float]) -> int:
        sign = 1.0 if self.maximize else -1.0
        best, last = -math.inf, 0
        for place, value in enumerate(values):
            if sign * value > best + (self.min_improvement if math.isfinite(best) else 0.0):
                best, last = sign * value, place
        return len(values) - 1 - last


def _ended(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Without failing, in the order of their ends."""
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    return sorted(ended, key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete, trial.number))


def little_left(expected: float | None, knobs: Mapping[str, Any]) -> str | None:
    """Why no further trial of a gp search should begin: what it expects to gain anywhere; None to go on."""
    if expected is None or expected >= knobs["min_improvement"]:
        return None
    return f"expected improvement left {expected:.3g}, below {_wanted(knobs)}"


def still_little_left(reason: str | None, knobs: Mapping[str, Any]) -> bool:
    """Whether that was why a search ended, and the same is asked again."""
    return bool(reason and reason.startswith("expected improvement") and reason.endswith(_wanted(knobs)))


def _wanted(knobs: Mapping[str, Any]) -> str:
    return f"search.min_improvement={knobs['min_improvement']:g}"
