"""The winner's last training, on training and validation data together."""

from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from descent import door, trials
from descent.errors import UsageError

EVERYTHING = ("dataset.val_fraction=0", "objective=auto", "direction=auto", "folds=1", "fold=null")


def words(directory: Path) -> list[str]:
    """Overrides: as many epochs as the trial of that directory had needed, on every part."""
    return [f"epochs={trials.reported_epoch(directory) + 1}", *EVERYTHING]


def refuse_waiting(overrides: Sequence[str], compose: Callable[[Sequence[str]], DictConfig]) -> None:
    """Any point may be the winner: what waits for a metric of validation data would wait in vain."""
    try:
        door.typed(compose(trials.with_instead(overrides, EVERYTHING)))
    except UsageError as error:
        what = str(error).partition(", allowed")[0]
        line = f"search.refit: got true, allowed false with {what}"
        raise UsageError(door.shortened(line, "; the winner's last training has no validation data")) from None
