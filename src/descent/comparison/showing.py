"""Two trainings side by side in words."""

import math
from collections.abc import Iterator

from descent.comparison.account import Account
from descent.comparison.differing import Change, Differences

MOST = 8  # of a kind, before the rest is counted


def equal(a: Account) -> str:
    """What was looked at before two trainings are called the same."""
    curves = f"{len(a.history)} metrics at {a.epochs} epochs"
    return f"weights, predictions, {curves}, the loss at {len(a.losses)} steps, {len(a.metrics)} results"


def outcome(a: Account, found: Differences) -> Iterator[str]:
    """`IDENTICAL: …`, or from where on and by how much they differ."""
    if found.identical:
        yield f"IDENTICAL: {equal(a)}"
        return
    yield f"DIFFERENT: {_first(found)}"
    for curve in found.curves[:MOST]:
        yield f"  {curve.metric}: {curve.a:.6g} → {curve.b:.6g} in epoch {curve.epoch}, by {curve.most:.2g} at most"
    yield from _rest(len(found.curves))
    for name, one, other in [result for result in found.results if result[0].startswith("test/")][:MOST]:
        yield f"  {name}: {one:.6g} → {other:.6g}"
    digests = {"weights": found.weights, "predictions": found.predictions}
    yield "  " + ", ".join(f"{name} {'differ' if differ else 'are the same'}" for name, differ in digests.items())


def causes(found: Differences) -> Iterator[str]:
    """What they were not made alike from."""
    if found.identical and not found.causes:
        return
    yield "made from different:" if found.identical else "probable cause:"
    for change in found.causes[:MOST]:
        yield f"  {change.shown}"
    yield from _rest(len(found.causes))
    if not found.causes:
        yield "  nothing that was recorded differs: look for files outside git, or a device that does not repeat itself"


def changed(changes: tuple[Change, ...] | list[Change]) -> Iterator[str]:
    """A line each."""
    for change in changes:
        yield f"  {change.shown}"


def _first(found: Differences) -> str:
    if found.step is None:
        return _later(found)
    step = found.step
    if math.isnan(step.a) != math.isnan(step.b):
        which = "first" if math.isnan(step.b) else "second"
        return f"from step {step.step} (epoch {step.epoch}) on only the {which} has losses"
    return f"from step {step.step} (epoch {step.epoch}) on: loss {step.a:.8g} → {step.b:.8g}, by {step.by:.2g}"


def _later(found: Differences) -> str:
    if found.curves:
        curve = found.curves[0]
        return f"no step's loss differs, {curve.metric} does in epoch {curve.epoch}"
    if found.results:
        return f"no step and no epoch differs, {found.results[0][0]} does"
    return "no step, no epoch and no result differs, the bits of the end do"


def _rest(number: int) -> Iterator[str]:
    if number > MOST:
        yield f"  … and {number - MOST} more"
