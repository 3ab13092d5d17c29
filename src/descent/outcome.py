"""What a run came to: the reported weights, measured."""

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from descent.config import Config
from descent.data.split import Split
from descent.engine import Engine
from descent.vocabulary import METRICS, RANKED, better_direction

if TYPE_CHECKING:
    from descent.assembly import Parts


@dataclass(frozen=True)
class Outcome:
    """Metrics of the reported weights, and what identifies them."""

    objective: float
    epoch: int  # whose weights are reported
    epochs: int  # how many were trained
    metrics: dict[str, float]
    seconds: float
    weights_sha256: str
    predictions_sha256: str
    stopped_because: str | None


def conclude(config: Config, parts: "Parts", trainer: pl.Trainer, seconds: float) -> Outcome:
    """Restore the reported weights and measure them on train and test; the test split is read only here."""
    engine, best = parts.engine, parts.engine.recipe.best
    engine.settle()
    epochs = len(engine.history["train/loss"])
    reported = best.epoch if config.restore == "best" and best.epoch is not None else epochs - 1
    at_report = {name: dict(points)[reported] for name, points in engine.history.items() if reported in dict(points)}
    train = _measure(engine, trainer, parts.data.train)
    if not math.isfinite(train["loss"]):  # the last step went too far, and no later one showed it
        raise engine.diverged("train/loss", train["loss"], engine.steps_done - 1)
    at_report |= {f"val/{name}": value for name, value in _of_validation(parts, trainer, at_report).items()}
    metrics = {f"best/{name}": value for name, value in at_report.items() if name.startswith("val/")}
    metrics |= {f"best/train/{name}": value for name, value in train.items()}
    metrics |= _gaps(at_report, train, parts.data.task)
    if parts.data.test:
        measured = {**_measure(engine, trainer, parts.data.test), **_ranks(engine, parts.data.test)}
        metrics |= {f"test/{name}": value for name, value in measured.items()}
    metrics |= {f"final/{name}": points[-1][1] for name, points in engine.history.items()}
    samples = len(parts.data.train) * epochs
    metrics |= {"model/parameters": float(parts.parameters), "model/multiply_adds": float(parts.multiply_adds)}
    metrics |= {"best/epoch": float(reported), "time/seconds": seconds, "time/samples_per_second": samples / seconds}
    metrics["time/milliseconds_per_step"] = 1000 * seconds / engine.steps_done
    return Outcome(
        objective=at_report[config.objective],
        epoch=reported,
        epochs=epochs,
        metrics=metrics,
        seconds=seconds,
        weights_sha256=weights_digest(engine.model),
        predictions_sha256=_array_digest([torch.cat(engine.outputs).numpy()]),
        stopped_because=engine.stopped_because,
    )


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over names, types, shapes and values, whatever file they are kept in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(
            tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
            if tensor.ndim
            else str(tensor.item()).encode()
        )
    return digest.hexdigest()


def _measure(engine: Engine, trainer: pl.Trainer, split: Split) -> dict[str, float]:
    trainer.test(engine, dataloaders=engine.evaluation_loader(split), verbose=False)
    return engine.evaluated


def _of_validation(parts: "Parts", trainer: pl.Trainer, known: dict[str, float]) -> dict[str, float]:
    """What no epoch has measured of the reported weights; where no test split follows, for the predictions as well."""
    engine, val = parts.engine, parts.data.val
    lacks_all = "val/loss" not in known  # the reported epoch was none of those that validate
    lacks_ranks = RANKED[0] in METRICS[parts.data.task] and not any(f"val/{name}" in known for name in RANKED)
    if val is None or not (lacks_all or lacks_ranks or parts.data.test is None):
        return {}
    measured = _measure(engine, trainer, val)
    return {**(measured if lacks_all else {}), **(_ranks(engine, val) if lacks_ranks else {})}


def _ranks(engine: Engine, split: Split) -> dict[str, float]:
    """Of the split that was measured last."""
    return engine.recipe.measures.ranks(torch.cat(engine.outputs), split.targets)


def _gaps(at_report: dict[str, float], train: dict[str, float], task: str) -> dict[str, float]:
    """By how much training is ahead of validation, both without dropout and augmentation; positive is over-fitting."""
    gaps = {}
    for name, value in train.items():
        if f"val/{name}" in at_report:
            ahead = value - at_report[f"val/{name}"]
            gaps[f"gap/{name}"] = ahead if better_direction(name, task) == "maximize" else -ahead
    return gaps


def _array_digest(arrays: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
