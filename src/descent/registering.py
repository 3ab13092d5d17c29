"""A finished run's model gets a name, and the name's champion moves only to one that is surely better."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from descent import assembly, processes, rules
from descent.comparison.summary import t_quantile
from descent.config import Config, project_root
from descent.errors import EnvironmentFault, UsageError
from descent.evaluation.judging import values_of
from descent.evaluation.recovering import Recovered, recover
from descent.record import destination
from descent.tracking.destination import Destination, reason_of, resolved
from descent.tracking.outbox import stored_id
from descent.tracking.registry import CHAMPION, Registry, Version

# Settings of the data that leave the test samples as they are.
ITS_OWN = {f"dataset.{key}" for key in ("fraction", "val_fraction", "val_split", "scaling", "cache", "root", "path")}
ITS_OWN |= {f"dataset.{key}" for key in ("download", "verify", "scratch", "in_memory")}
# Those of them that decide which rows a table's encoding is learned from.
OF_TRAINING_ROWS = ("dataset.fraction", "dataset.val_fraction", "dataset.val_split", "folds", "fold")
MOVES = "; force=true moves it"
LONGEST = 150
Scores = npt.NDArray[np.float64]


def after_training(config: Config, directory: Path, objective: float) -> float:
    """What `register=<name>` asks for at the end of a run; the objective that it came to."""
    if config.register and processes.rank() == 0:
        register(recover(str(directory), config.device), config.register, force=False)
    return objective


def register(run: Recovered, name: str, force: bool) -> None:
    """Add the run's model to the registry, and say whether it is the champion now and why."""
    run_id = stored_id(run.place.directory)
    registry = Registry(destination(run.config))
    if run_id is None:
        raise EnvironmentFault("register: the store does not know the run yet; `make sync` ships it, then evaluate.py")
    with registry.alone():
        version = registry.add(name, run_id)
        champion = registry.champion(name)
        is_better, why = _judged(run, registry, champion, version)
        while (is_better or force) and (now := registry.champion(name)) != champion:
            champion = now  # somebody on another machine was quicker
            is_better, why = _judged(run, registry, champion, version)
        if is_better or force:
            registry.crown(version)
    said = f"is the {CHAMPION} now" if is_better or force else f"does not become the {CHAMPION}"
    if champion and champion.number == version.number:
        said = f"is the {CHAMPION} already"
    print(f"registered: {name} version {version.number} {said}: {why}")


def named(text: str) -> str:
    """The run that a registered model is of, as `run=` takes it."""
    there = resolved(Destination("local", None, "descent", project_root()))
    if there.database and not there.database.exists():  # opening a store would make it
        raise UsageError(f"model: got {text}, allowed a registered name; nothing is registered yet")
    found = Registry(there).find(text)
    return found.tags.get("local_id") or found.run_id


def _judged(run: Recovered, registry: Registry, champion: Version | None, version: Version) -> tuple[bool, str]:
    """Sample by sample on the same data, where both have never seen them."""
    if champion is None:
        return True, "the first of its name"
    if champion.number == version.number:
        return False, "the same run"
    if run.data.test is None:
        return (
            False,
            f"without a test split there is nothing that it and version {champion.number} have never seen{MOVES}",
        )
    if champion.tags.get("dataset_sha256") != run.data.digest or _held_out(champion) != _held_out(version):
        return False, f"version {champion.number} was made of other data or another split{MOVES}"
    targets = run.data.test.targets.numpy()
    own = _scores(run, values_of(run, run.outputs(run.data.test.inputs)), targets)
    try:
        inputs = _as_encoded_for(registry, champion, run)
        other = None if inputs is None else _scores(run, registry.predictor(champion)(_numbers(inputs)), targets)
    except Exception as error:  # whatever a model raises that was trained on something else
        return False, rules.cut(f"version {champion.number} cannot be asked: {reason_of(error)}", LONGEST) + MOVES
    if other is None:
        return False, f"version {champion.number} has encoded the table in a way that cannot be repeated{MOVES}"
    mean, low, high = paired(own - other)
    what = "accuracy" if run.is_classifier else "less squared error"
    sure = f"({low:+.4f} to {high:+.4f}) over version {champion.number} on {len(targets)} test samples"
    ahead = f"{what} {mean:+.4f} {sure}"
    return low > 0, ahead if low > 0 else f"{ahead}{MOVES}"


def _as_encoded_for(registry: Registry, champion: Version, run: Recovered) -> npt.NDArray[np.generic] | None:
    """The test samples as the champion reads them: a table by the training rows that it had itself.

    None where those would not make the encoding that it was trained with.
    """
    assert run.data.test is not None
    if run.data.encoding is None:
        return run.data.test.inputs.numpy()
    kept = registry.encoding(champion) or {}
    kept.pop("scaling", None)
    if kept == run.data.encoding:
        return run.data.test.inputs.numpy()
    known = {key: _said(champion.params[key]) for key in OF_TRAINING_ROWS if key in champion.params}
    own = {key.removeprefix("dataset."): value for key, value in known.items() if key.startswith("dataset.")}
    dataset = replace(run.config.dataset, settings={**run.config.dataset.settings, **own, "cache": None})
    folds = {key: known[key] for key in ("folds", "fold") if key in known}
    data = assembly.load(replace(run.config, dataset=dataset, **folds))
    return data.test.inputs.numpy() if data.test and data.encoding == kept else None


def _said(param: str) -> Any:
    return None if param == "None" else yaml.safe_load(param)


def _held_out(version: Version) -> dict[str, str]:
    """What decides which samples a run is tested on, and how they look to its model."""
    return {key: value for key, value in version.params.items() if key.startswith("dataset.") and key not in ITS_OWN}


def paired(differences: Scores) -> tuple[float, float, float]:
    """The mean difference and its 95 % interval."""
    mean, n = float(differences.mean()), len(differences)
    if n < 2:
        return mean, float("-inf"), float("inf")
    half = t_quantile(0.975, n - 1) * float(differences.std(ddof=1)) / n**0.5
    return mean, mean - half, mean + half


def _scores(run: Recovered, values: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> Scores:
    """One a sample, larger is better."""
    if run.is_classifier:
        return np.asarray(values.argmax(1) == targets.reshape(-1), dtype=np.float64)
    return np.asarray(-((values - targets.reshape(values.shape)) ** 2).mean(1))


def _numbers(inputs: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """As the model's signature has it."""
    return inputs if inputs.dtype == np.int64 else inputs.astype(np.float32)
