"""When a trial is given up: Optuna's pruners, made from what stands in conf/pruner/."""

import math
from collections.abc import Callable
from typing import Any

from optuna import pruners

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._samplers import optuna_quiet

MADE: dict[str, Callable[[dict[str, Any]], pruners.BasePruner]] = {
    "none": lambda knobs: pruners.NopPruner(),  # type: ignore[no-untyped-call]
    "median": lambda knobs: pruners.MedianPruner(knobs["trials"], knobs["warmup"], knobs["interval"]),
    "percentile": lambda knobs: pruners.PercentilePruner(
        knobs["percentile"], knobs["trials"], knobs["warmup"], knobs["interval"]
    ),
    "halving": lambda knobs: pruners.SuccessiveHalvingPruner(
        min_resource=knobs["first"], reduction_factor=knobs["factor"]
    ),
    "hyperband": lambda knobs: pruners.HyperbandPruner(
        min_resource=knobs["first"], max_resource=knobs["looks"], reduction_factor=knobs["factor"]
    ),
    "threshold": lambda knobs: pruners.ThresholdPruner(
        lower=knobs["lower"], upper=knobs["upper"], n_warmup_steps=knobs["warmup"]
    ),
    "wilcoxon": lambda knobs: pruners.WilcoxonPruner(p_threshold=knobs["p"], n_startup_steps=knobs["first"]),
}

COMPARING = ("median", "percentile", "wilcoxon")  # with trials that have finished; the others look at reports alone


def looks(settings: Any) -> dict[str, Any]:
    """How often a trial is looked at, and after what: its epochs, or its seeds and folds where it has several."""
    if settings.repeated:
        return {"looks": settings.repeats, "after": "repeats"}
    return {"looks": settings.epochs, "after": "epochs"}


def refuse_unfit(knobs: dict[str, Any], repeats: int) -> None:
    """A signed-rank test that could never end a trial: without pairs, or with so few that none is significant."""
    if knobs["choice"] != "wilcoxon":
        return
    others = " | ".join(choice for choice in MADE if choice != "wilcoxon")
    if repeats == 1:
        raise UsageError(f"pruner: got wilcoxon, allowed {others} without seeds=… or folds=…, which it compares")
    pairs = max(knobs["first"], 2, math.floor(-math.log2(knobs["p"])) + 1)  # all worse have p = 2**-pairs
    if repeats <= pairs:
        few = f"{repeats} repeats cannot be significant at pruner.p={knobs['p']:g} before the last; {pairs + 1} can"
        raise UsageError(f"pruner: got wilcoxon, allowed {others}: {few}")


def pruner_for(choice: str, knobs: dict[str, Any]) -> pruners.BasePruner:
    """What decides, at the end of an epoch or of a repeat, whether the trial goes on."""
    with optuna_quiet():
        return MADE[choice](knobs)
