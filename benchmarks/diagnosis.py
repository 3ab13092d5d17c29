"""What the verdict costs: layers' statistics in a training and the rules at its end, as a share of the training."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from product import product
from report import Table
from workloads import DIGITS, MNIST

from descent import diagnosing
from descent.layer_statistics import LayerStatistics

MOST = 0.01
COUNTED: tuple[tuple[Any, str], ...] = (
    (LayerStatistics, "gradients"),
    (LayerStatistics, "activations"),
    (diagnosing, "conclude"),
)


def measure(rounds: int, quick: bool, threads: int | None) -> list[Table]:
    """The digits MLP for 30 epochs, and the MNIST-size one for six."""
    columns = ("work", "seconds of the verdict", "of the training", "share", "range", "times", "promised", "kept")
    table = Table("What the verdict costs", columns, words=1)
    for workload, epochs, promise in ((DIGITS, 30, None), (MNIST, MNIST.epochs, MOST)):
        one = workload.quick() if quick else workload
        one = replace(one, threads=threads or one.threads)
        torch.set_num_threads(one.threads)
        pairs = [_once(one.config(1 if quick else epochs)) for _ in range(1 if quick else rounds + 1)]
        kept = pairs[1:] or pairs  # the first one warms up
        own, fits = (statistics.median(column) for column in zip(*kept, strict=True))
        shares = [verdict / fit for verdict, fit in kept]
        share = statistics.median(shares)
        spread = f"{100 * min(shares):.2f} to {100 * max(shares):.2f}%"
        verdict = ["", ""] if promise is None else [f"≤ {100 * promise:g}%", "yes" if share <= promise else "no"]
        title = f"{one.title}, {1 if quick else epochs} epochs, threads {one.threads}"
        cells = [title, f"{own:.4f}", f"{fits:.2f}", f"{100 * share:.2f}%", spread, str(len(kept)), *verdict]
        table.rows.append(cells)
    return [table]


def _once(config: Any) -> tuple[float, float]:
    with _clocked() as taken:
        fit = product(config).fit
    return sum(taken), fit


@contextmanager
def _clocked() -> Iterator[list[float]]:
    """The seconds of every call of what a verdict needs."""
    taken: list[float] = []
    before = [(place, name, getattr(place, name)) for place, name in COUNTED]

    def clock(call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                taken.append(time.perf_counter() - started)

        return timed

    for place, name, call in before:
        setattr(place, name, clock(call))
    try:
        yield taken
    finally:
        for place, name, call in before:
            setattr(place, name, call)
