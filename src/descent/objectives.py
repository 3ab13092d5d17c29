"""Several objectives of a search: what each may be, which way it is better, and what a run has come to in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from descent.rules import near, refuse
from descent.vocabulary import CHOOSING_SPLITS, METRICS, RANKED, Direction, better_direction, metric_names

# What a run has beside the metrics of its epochs.
OF_A_RUN: dict[str, Direction] = {
    "model/parameters": "minimize",
    "model/multiply_adds": "minimize",
    "time/seconds": "minimize",
    "time/samples_per_second": "maximize",
    "best/epoch": "minimize",
}
AUTO = "auto"
Aims = list[tuple[str, Direction]]


def aims_of(objective: Sequence[Any], direction: Any, dataset: Mapping[str, Any]) -> Aims:
    """Each objective with its direction, which `auto` leaves to the metric; UsageError where they do not fit."""
    names, known = [str(name) for name in objective], _known(dataset)
    if len(names) < 2 or len({*names}) < len(names):
        raise refuse("objective", names, "several, each once", "one alone is written objective=val/loss")
    for name in names:
        if name not in known:
            hint = "the test split decides nothing" if name.startswith("test/") else near(name, known)
            raise refuse("objective", name, " | ".join(known), hint)
    given = [AUTO] * len(names) if direction == AUTO else direction
    if not isinstance(given, list) or len(given) != len(names):
        raise refuse("direction", direction, f"{len(names)} of them, one for each objective, or auto")
    for one in given:
        if one not in ("minimize", "maximize", AUTO):
            raise refuse("direction", one, "minimize | maximize | auto", near(str(one), ("minimize", "maximize")))
    return [(name, known[name] if one == AUTO else one) for name, one in zip(names, given, strict=True)]


def own(aims: Aims) -> tuple[str, str]:
    """What a training follows itself: the first that its epochs have, or else what it would follow anyway."""
    return next((aim for aim in aims if aim[0].split("/")[0] in CHOOSING_SPLITS), (AUTO, AUTO))


def value_of(name: str, followed: str, objective: float, metrics: Mapping[str, float]) -> float:
    """What a run has come to: its own objective as it returned it, other metrics of the weights that it reports."""
    if name == followed:
        return objective
    return metrics[f"best/{name}" if name.split("/")[0] in CHOOSING_SPLITS else name]


def _known(dataset: Mapping[str, Any]) -> dict[str, Direction]:
    task, has_validation, classes = dataset["task"], dataset.get("val_fraction") != 0, dataset.get("classes")
    names = metric_names(task, has_validation, classes if isinstance(classes, int) else None)
    unmeasured = [f"train/{name}" for name in RANKED]  # of the weights that are reported
    epochs = [name for name in names if name not in unmeasured]
    gaps = [f"gap/{name}" for name in METRICS[task] if has_validation and name not in RANKED]
    return {**{name: better_direction(name, task) for name in epochs}, **dict.fromkeys(gaps, "minimize"), **OF_A_RUN}
