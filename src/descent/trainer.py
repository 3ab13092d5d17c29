"""Lightning's Trainer as we use it."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from descent.config import Config

# Hooks that Lightning fires for every minibatch, and so once a chunk unless a chunk is one minibatch.
PER_BATCH_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


def build_trainer(config: Config, callbacks: list[pl.Callback], loggers: list[Any], directory: Path) -> pl.Trainer:
    """Lightning's Trainer, with the arguments of the trainer group and none of the work we do ourselves."""
    _silence_lightning()
    own = {key: value for key, value in config.trainer.items() if key not in ("callbacks", "enable_progress_bar")}
    return pl.Trainer(
        **own,
        max_epochs=config.epochs,
        accelerator={"cuda": "gpu"}.get(config.device, config.device),
        precision={"32": "32-true", "64": "64-true"}.get(config.precision, config.precision),  # type: ignore[arg-type]
        callbacks=callbacks,
        logger=loggers,
        default_root_dir=directory,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _silence_lightning() -> None:
    """Its advertisements, and its advice on loaders that we do not use."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")


def has_batch_hooks(callback: pl.Callback) -> bool:
    return any(getattr(type(callback), hook) is not getattr(pl.Callback, hook) for hook in PER_BATCH_HOOKS)
