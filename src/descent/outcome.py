"""What a run came to: the reported weights, measured."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
    lacks_all = "val/loss" not in at_report  # the reported epoch was none of those that validate
    measured = _measured(parts, trainer, lacks_all or _lacks_ranks(parts, at_report))
    train, val, test = measured["train"], measured.get("val"), measured.get("test")
    if not math.isfinite(train.metrics["loss"]):  # the last step went too far, and no later one showed it
        raise engine.diverged("train/loss", train.metrics["loss"], engine.steps_done - 1)
    if val and lacks_all:
        at_report |= {f"val/{name}": value for name, value in val.metrics.items()}
    if val and _lacks_ranks(parts, at_report):
        at_report |= {f"val/{name}": value for name, value in val.ranks().items()}
    metrics = {f"best/{name}": value for name, value in at_report.items() if name.startswith("val/")}
    metrics |= {f"best/train/{name}": value for name, value in train.metrics.items()}
    metrics |= _gaps(at_report, train.metrics, parts.data.task)
    if test:
        metrics |= {f"test/{name}": value for name, value in {**test.metrics, **test.ranks()}.items()}
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
        predictions_sha256=_array_digest([engine.outputs.numpy()]),
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


@dataclass(frozen=True)
class _Measured:
    """A split under the reported weights."""

    metrics: dict[str, float]
    ranks: Callable[[], dict[str, float]]  # what needs all outputs at once


def _measured(parts: "Parts", trainer: pl.Trainer, is_val_lacking: bool) -> dict[str, _Measured]:
    """In one pass of Lightning's, which costs a small training as much as some epochs; the predictions' split last."""
    engine, data = parts.engine, parts.data
    val = data.val if is_val_lacking or data.test is None else None
    splits = {name: split for name, split in (("train", data.train), ("val", val), ("test", data.test)) if split}
    trainer.test(engine, engine.tested_on(splits.values()), verbose=False)
    found = {}
    for (name, split), (metrics, outputs) in zip(splits.items(), engine.evaluated, strict=True):
        found[name] = _Measured(metrics, partial(_ranks, engine, outputs, split))
    del engine.evaluated[:-1]  # the outputs of the training split are the largest, and nobody asks for them
    return found


def _ranks(engine: Engine, outputs: list[torch.Tensor], split: Split) -> dict[str, float]:
    return engine.recipe.measures.ranks(torch.cat(outputs), split.targets)


def _lacks_ranks(parts: "Parts", known: dict[str, float]) -> bool:
    return RANKED[0] in METRICS[parts.data.task] and not any(f"val/{name}" in known for name in RANKED)


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
