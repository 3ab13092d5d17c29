"""Several objectives: which trials no other one beats, and what a search for them cannot be asked."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from descent.errors import UsageError

Direction = Literal["minimize", "maximize"]


def refuse_unfit(sweep: dict[str, Any]) -> None:
    """What needs one value to go by, in one line."""
    search, pruner = sweep["search"], sweep["pruner"]["choice"]
    if pruner != "none":
        raise UsageError(f"pruner: got {pruner}, allowed none with several objectives: no single value falls behind")
    if search["target"] is not None:
        raise UsageError(f"search.target: got {search['target']:g}, allowed null with several objectives")
    if search["min_improvement"]:
        raise UsageError(
            f"search.min_improvement: got {search['min_improvement']:g}, allowed 0 with several objectives; "
            "search.patience counts trials that leave the front as it is"
        )
    if search["refit"]:
        raise UsageError(
            "search.refit: got true, allowed false with several objectives; choose a point, its command trains it"
        )


def front(trials: Iterable[FrozenTrial], directions: Sequence[Direction]) -> list[FrozenTrial]:
    """Finished trials that no other one beats (nowhere worse, somewhere better), by the first objective."""
    found: list[FrozenTrial] = []
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            found = extended(found, trial, directions)
    return sorted(found, key=lambda trial: (costs(trial, directions), trial.number))


def extended(known: list[FrozenTrial], trial: FrozenTrial, directions: Sequence[Direction]) -> list[FrozenTrial]:
    """A front with one more finished trial; the same list where that is beaten."""
    own = costs(trial, directions)
    if any(_beats(costs(one, directions), own) for one in known):
        return known
    return [*(one for one in known if not _beats(own, costs(one, directions))), trial]


def costs(trial: FrozenTrial, directions: Sequence[Direction]) -> list[float]:
    """Its values, all the better for being small."""
    signed = zip(trial.values, directions, strict=True)
    return [-value if direction == "maximize" else value for value, direction in signed]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))
