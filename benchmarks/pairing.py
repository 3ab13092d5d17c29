"""Ratios of what was measured side by side, so that a noisy machine is noisy for everybody."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Ratio:
    """How many times as fast: the median over the pairs, and the extremes."""

    workload: str
    against: str
    pairs: list[float]
    target: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.pairs)

    def cells(self) -> list[str]:
        """One row of the table."""
        spread = f"{min(self.pairs):.2f} to {max(self.pairs):.2f}"
        wanted = "" if self.target is None else f"{self.target:.2f}"
        verdict = "" if self.target is None else "yes" if self.median >= self.target else "no"
        return [self.workload, self.against, f"{self.median:.2f}", spread, str(len(self.pairs)), wanted, verdict]


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Seconds:
    """Everybody's seconds. Every other round goes backwards: neighbours stay so, and nobody always follows."""
    seconds: Seconds = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names[::-1] if number % 2 else names:
            gc.collect()
            seconds[name].append(contenders[name]())
    return seconds


def quotients(slower: list[float], faster: list[float]) -> list[float]:
    """Pair by pair, the first's time over the second's."""
    return [one / other for one, other in zip(slower, faster, strict=True)]
