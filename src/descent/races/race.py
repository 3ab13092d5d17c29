"""A race as plain values: who ran against whom, over what, and what each training came to."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Value = float | str


@dataclass(frozen=True)
class Knob:
    """What a value is tuned over: a number between two ends, or one of several choices."""

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()
    step: float | None = None
    kind: str = "float"  # float, int or choice, as a space file says it
    key: str = ""  # under which a space file has it
    when: str = ""  # the condition under which it exists, where that key does not say so

    def share(self, value: Value) -> float:
        """How far along its range a number lies, from 0 to 1."""
        low, high, at = self.low, self.high, float(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return (at - low) / (high - low)

    def at(self, share: float) -> float:
        """The number that lies so far along, beyond the ends too."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return math.exp(low + share * (high - low))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Try:
    """One training. `objective` is None where it came to none: it diverged, or failed."""

    number: int
    workload: str
    value: str
    point: Mapping[str, Value]  # by the name of the knob
    objective: float | None
    seconds: float = 0.0
    again: bool = False  # one of the repeats of a best
    tested: float | None = None
    curve: Sequence[tuple[int, float]] = ()  # epoch and objective
    shown: str = ""  # as words of a command line
    cause: str = ""


@dataclass(frozen=True)
class Race:
    """All that a report needs."""

    name: str
    objective: str
    direction: Literal["minimize", "maximize"]
    workloads: Sequence[str]
    values: Sequence[str]
    knobs: Sequence[Knob]
    tries: Sequence[Try]
    points: int
    repeats: int
    command: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)  # rules of a space file that a next race keeps
    listed: Sequence[str] = ()  # its workloads, as a space file lists them
    further: Sequence[str] = ()  # words of its command that a next race keeps

    @property
    def sign(self) -> float:
        """Times which smaller is better."""
        return 1.0 if self.direction == "minimize" else -1.0

    @cached_property
    def _groups(self) -> dict[tuple[str, str, bool], list[Try]]:
        groups: dict[tuple[str, str, bool], list[Try]] = {}
        for one in self.tries:
            groups.setdefault((one.workload, one.value, one.again), []).append(one)
        return groups

    def searched(self, workload: str, value: str) -> list[Try]:
        """The points that were tried, failed ones too."""
        return self._groups.get((workload, value, False), [])

    def repeated(self, workload: str, value: str) -> list[Try]:
        """The best of them with other seeds."""
        return self._groups.get((workload, value, True), [])

    def best(self, workload: str, value: str) -> Try | None:
        """The best point; None where none has finished."""
        finished = [one for one in self.searched(workload, value) if one.objective is not None]
        return min(finished, key=lambda one: (self.sign * (one.objective or 0.0), one.number), default=None)

    def came_to(self, workload: str, value: str) -> list[float]:
        """Of the repeats: on test data where there are any, else the objective; those that failed have none."""
        known = self.repeated(workload, value)
        scores = [one.tested if self.is_tested(workload) else one.objective for one in known]
        return [score for score in scores if score is not None]

    def is_tested(self, workload: str) -> bool:
        """Whether repeats on it have a result on test data: not every dataset has any."""
        return any(one.tested is not None for value in self.values for one in self.repeated(workload, value))

    def metric_of(self, workload: str) -> str:
        """What the repeats on it are judged by."""
        return f"test/{self.objective.partition('/')[2]}" if self.is_tested(workload) else self.objective

    @property
    def metric(self) -> str:
        """What the repeats are judged by, each workload's."""
        return " or ".join(dict.fromkeys(map(self.metric_of, self.workloads)))

    def mean(self, workload: str, value: str) -> float | None:
        """Of the repeats; None where there is none."""
        scores = self.came_to(workload, value)
        return statistics.fmean(scores) if scores else None

    def infeasible(self, value: str, workload: str | None = None) -> float:
        """Which share of its points came to nothing."""
        where = self.workloads if workload is None else [workload]
        tried = [one for name in where for one in self.searched(name, value)]
        return sum(one.objective is None for one in tried) / len(tried) if tried else 0.0
