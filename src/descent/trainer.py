"""Lightning's Trainer as we use it."""

import logging
import warnings
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.connectors import callback_connector

from descent.callbacks.checkpointing import Checkpointing
from descent.checkpoints import Checkpoints, DurableFiles
from descent.config import Config
from descent.durable import sync_folder

# Hooks that Lightning fires for every minibatch, and so once a chunk unless a chunk is one minibatch.
PER_BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
FACTORIES = "pytorch_lightning.callbacks_factory"
ADVICE = (
    ".*does not have many workers.*",
    ".*`training_step` returned `None`.*",
    ".*number of training batches.*",
    ".*Total length of `list` across ranks is zero.*",
    ".*isinstance.treespec, LeafSpec.*",
)


def build_trainer(config: Config, callbacks: list[pl.Callback], loggers: list[Any], directory: Path) -> pl.Trainer:
    """Lightning's Trainer, with the arguments of the trainer group and none of the work we do ourselves."""
    _silence_lightning(profiling=config.trainer.get("profiler") is not None)
    ours = ("callbacks", "enable_progress_bar", "plugins")
    own = {key: value for key, value in config.trainer.items() if key not in ours}
    checkpoints = Checkpoints(directory / "checkpoints")
    # What a state goes on from is as durable: its run's own files, and metrics, which would not be logged again.
    durable = [cache(partial(sync_folder, directory)), *(logger.sync for logger in loggers)]
    when = config.checkpoint
    checkpointing = Checkpointing(checkpoints, when.seconds, when.every, when.last, durable)
    _look_for_factories_once()
    return pl.Trainer(
        **own,
        max_epochs=config.epochs,
        accelerator="gpu" if device_of(config) == "cuda" else "cpu",
        precision={"32": "32-true", "64": "64-true"}.get(config.precision, config.precision),  # type: ignore[arg-type]
        callbacks=[*callbacks, checkpointing],
        plugins=[*(config.trainer.get("plugins") or []), DurableFiles(checkpoints)],
        logger=loggers,
        default_root_dir=directory,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


@cache
def _look_for_factories_once() -> None:
    """Lightning asks every installed package for callbacks, for each Trainer anew: 6 milliseconds of every trial."""
    if not entry_points(group=FACTORIES):
        callback_connector._load_external_callbacks = lambda group: []  # type: ignore[attr-defined]


def short_trainer(config: Config, epochs: int) -> pl.Trainer:
    """For a training that is not the run: on the run's device and in its precision, without any trace."""
    _silence_lightning(profiling=False)
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="gpu" if device_of(config) == "cuda" else "cpu",
        devices=1,
        precision={"32": "32-true", "64": "64-true"}.get(config.precision, config.precision),  # type: ignore[arg-type]
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def device_of(config: Config) -> str:
    """`cuda` or `cpu`: what `device=auto` comes to here."""
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"


def _silence_lightning(profiling: bool) -> None:
    """Its advertisements, and its advice on loaders and hooks that we do not use."""
    logging.getLogger("pytorch_lightning").setLevel(logging.INFO if profiling else logging.WARNING)
    for advice in ADVICE:
        warnings.filterwarnings("ignore", advice)


def has_batch_hooks(callback: pl.Callback) -> bool:
    """Whether it wants to be called for every minibatch."""
    return any(getattr(type(callback), hook) is not getattr(pl.Callback, hook) for hook in PER_BATCH_HOOKS)
