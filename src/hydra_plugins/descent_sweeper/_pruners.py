"""When a trial is given up: Optuna's pruners, made from what stands in conf/pruner/."""

from collections.abc import Callable
from typing import Any

from optuna import pruners

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
        min_resource=knobs["first"], max_resource=knobs["epochs"], reduction_factor=knobs["factor"]
    ),
    "threshold": lambda knobs: pruners.ThresholdPruner(
        lower=knobs["lower"], upper=knobs["upper"], n_warmup_steps=knobs["warmup"]
    ),
}


def pruner_for(choice: str, knobs: dict[str, Any]) -> pruners.BasePruner:
    """What decides, at the end of an epoch, whether the trial goes on."""
    return MADE[choice](knobs)
