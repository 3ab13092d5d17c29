"""What a finished run left behind, as plain values: read from its directory without torch and without a store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from descent import place, rules
from descent.errors import DataError, UsageError
from descent.identity import Identity
from descent.place import Place
from descent.reproduction import recording

LOSSES, HISTORY = "loss_per_step.npy", "history.json"
Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Account:
    """One training. `environment` and `resolved` are empty where the run was made before they were kept."""

    local_id: str
    name: str
    directory: Path
    identity: Identity
    source: Mapping[str, Any]
    environment: Mapping[str, str]
    resolved: Mapping[str, Any]
    history: Mapping[str, Points]
    losses: npt.NDArray[np.float32]
    metrics: Mapping[str, float]
    weights_sha256: str
    predictions_sha256: str
    epochs: int  # that were trained
    stopped_because: str | None

    @property
    def shown(self) -> str:
        return f"{self.local_id[:8]} {self.name}"

    def epoch_of(self, step: int) -> int:
        """From 0: of one of the steps."""
        ends = np.cumsum(self._steps_of_epochs())
        return int(np.searchsorted(ends, step, side="right"))

    def _steps_of_epochs(self) -> list[int]:
        """By batch sizes and samples; where that is not known, or not how it was, all alike."""
        settings, samples = self.identity.settings, int(self.resolved.get("samples", 0))
        sizes = dict(self.history.get("train/batch_size", ()))
        given = settings.get("batch_size", "full")
        steps = []
        for epoch in range(self.epochs):
            size = int(sizes.get(epoch, samples if given == "full" else given)) or 1
            minibatches = samples // size if settings.get("loader.drop_last") else -(-samples // size)
            steps.append(-(-minibatches // int(settings.get("accumulate", 1))))
        if sum(steps) == len(self.losses):
            return steps
        return [max(1, -(-len(self.losses) // max(1, self.epochs)))] * self.epochs


def of(run: Place) -> Account:
    """The account of a finished training, or one line about what it lacks."""
    if run.identity is None or not run.finished:
        raise rules.refuse("run", run.name, "a finished run", f"resume={run.local_id[:8]} goes on with it")
    if several := children(run):
        names, hint = " ".join(child.name for child in several), f"run={several[0]} is the first"
        raise UsageError(rules.cut(f"run: {run.name} is several trainings, {names}; {hint}", rules.LONGEST_LINE))
    said, came_to = recording.read(run.directory), _json(run.directory / run.results)
    return Account(
        local_id=run.local_id,
        name=run.name,
        directory=run.directory,
        identity=run.identity,
        source=said.get("source", {}),
        environment=said.get("environment", {}),
        resolved=said.get("resolved", {"threads": run.threads}),
        history={name: tuple((int(at), float(value)) for at, value in points) for name, points in _history(run)},
        losses=_losses(run.directory / LOSSES),
        metrics=came_to["metrics"],
        weights_sha256=came_to["weights_sha256"],
        predictions_sha256=came_to["predictions_sha256"],
        epochs=int(came_to["epochs"]),
        stopped_because=came_to.get("stopped_because"),
    )


def children(run: Place) -> list[Path]:
    """Directories of the trainings that a run of several stands for."""
    found = (file.parent for file in run.directory.glob(f"*/{place.FILE}") if file.parent.name.isdigit())
    return sorted(found, key=lambda child: int(child.name))


def _history(run: Place) -> list[tuple[str, list[tuple[int, float]]]]:
    return list(_json(run.directory / HISTORY).items())


def _losses(file: Path) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(file, error) from None


def _json(file: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(file.read_text())
        said.items()
        return said
    except (OSError, ValueError, AttributeError) as error:
        raise _broken(file, error) from None


def _broken(file: Path, error: Exception) -> DataError:
    why = "not there" if isinstance(error, FileNotFoundError) else f"damaged ({type(error).__name__})"
    return DataError(rules.cut(f"{file}: {why}; the run cannot be compared without it", rules.LONGEST_LINE))
