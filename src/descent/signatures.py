"""Every target exists and takes its arguments: checked by signature, before anything is built or created."""

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_object

from descent import rules
from descent.config import Component, Config
from descent.data.knobs import own_settings
from descent.errors import EnvironmentFault, UsageError
from descent.optim import warmup

# What assembly itself hands to a target, beside the settings.
PROVIDED = {
    "model": {"input_shape", "outputs", "tokens"},
    "optimizer": {"params"},
    "augmentation": {"scaling", "images"},
}

# What assembly takes for itself.
TAKEN = {"scheduler": warmup.KNOBS}

# Callbacks of Lightning's that manual optimization or our own parts stand in the way of, and what to use.
OURS = {
    "ModelCheckpoint": "restore=best",
    "OnExceptionCheckpoint": "restore=best",
    "WeightAveraging": "restore=best: its average would be validated and other weights reported",
    "StochasticWeightAveraging": "restore=best: it needs Lightning's own optimization",
    "GradientAccumulationScheduler": "accumulate=…",
    "BatchSizeFinder": "batch_size=…",
    "LearningRateFinder": "lr=…",
    "ProgressBar": "trainer.enable_progress_bar=true",
}

# Lightning's arguments that conf/trainer/default.yaml has a rule for.
RULED = ("devices", "check_val_every_n_epoch", "detect_anomaly", "profiler", "enable_progress_bar", "callbacks")


def check(config: Config) -> None:
    """The first setting that a target does not take, or a device that is not there, as one line."""
    for key, component in _components(config):
        if "_target_" in component.settings:
            _check_target(key, component)
    _check_arguments("trainer", pl.Trainer, config.trainer)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("device: got cuda, but torch sees no GPU; use device=auto or device=cpu")
    _check_trainer(config)
    for callback in config.trainer.get("callbacks") or []:
        _check_callback(callback, config.tracking.kind)


def without_common_knobs(dataset: Component) -> Component:
    """A dataset as its target takes it."""
    takes = inspect.signature(get_object(str(dataset.target))).parameters
    return Component(dataset.choice, own_settings(dataset.settings, takes))


def _components(config: Config) -> Iterator[tuple[str, Component]]:
    for key in ("dataset", "model", "optimizer", "scheduler", "batch_growth", "loss", "augmentation"):
        yield key, getattr(config, key)
    for item in config.regularization:
        yield f"regularization.{item.choice}", item


def _check_target(key: str, component: Component) -> None:
    try:
        target = get_object(str(component.target))
        inspect.signature(target)
    except Exception:
        raise rules.refuse(f"{key}._target_", component.target, "an importable class or function") from None
    if key == "dataset":
        component = without_common_knobs(component)
    taken = TAKEN.get(key, set())
    given = {name: value for name, value in component.settings.items() if name[0] != "_" and name not in taken}
    _check_arguments(key, target, given)


def _check_callback(settings: dict[str, Any], tracking: str) -> None:
    _check_target("trainer.callbacks", Component("", settings))
    target = get_object(str(settings["_target_"]))
    shown = settings["_target_"]
    if not (inspect.isclass(target) and issubclass(target, pl.Callback)):
        raise rules.refuse("trainer.callbacks", shown, "classes that derive from pytorch_lightning.Callback")
    for one in target.__mro__:
        if one.__name__ in OURS:
            raise rules.refuse(
                "trainer.callbacks", shown, "callbacks that leave the weights to us", f"use {OURS[one.__name__]}"
            )
    if tracking == "none" and issubclass(target, pl.callbacks.LearningRateMonitor | pl.callbacks.DeviceStatsMonitor):
        raise rules.refuse("trainer.callbacks", shown, "with tracking", "it has nowhere to log to: use tracking=local")


def _check_trainer(config: Config) -> None:
    """Lightning refuses its arguments when a Trainer is made, so one is made of each that no rule of ours checked."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    accelerator = {"cuda": "gpu"}.get(config.device, config.device)
    for name, value in config.trainer.items():
        if name in RULED or value == "auto":
            continue
        try:
            pl.Trainer(accelerator=accelerator, **{**quiet, name: value})
        except Exception as error:
            raise UsageError(rules.cut(f"trainer.{name}: got {value}; {error}", rules.LONGEST_LINE)) from None


def _check_arguments(key: str, target: Any, given: dict[str, Any]) -> None:
    parameters = inspect.signature(target).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    provided = PROVIDED.get(key, set())
    takes = [name for name in parameters if name not in provided]
    for name in given:
        if name not in takes:
            raise rules.refuse(f"{key}.{name}", given[name], " ".join(takes) or "no argument", rules.near(name, takes))
    needed = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    for name in needed:
        if name not in given and name not in provided:
            raise UsageError(
                f"{key}.{name}: missing; {getattr(target, '__name__', target)} needs it, set {key}.{name}=…"
            )
