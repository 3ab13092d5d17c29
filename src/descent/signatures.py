"""Every target exists and takes its arguments: checked by signature, before anything is built or created."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_object

from descent import rules
from descent.config import Component, Config
from descent.errors import EnvironmentFault, UsageError

# What assembly itself hands to a target, beside the settings.
PROVIDED = {"model": {"input_shape", "outputs"}, "optimizer": {"params"}}


def check(config: Config) -> None:
    """The first setting that a target does not take, or a device that is not there, as one line."""
    for key, component in _components(config):
        if component.target:
            _check_target(key, component)
    _check_arguments("trainer", pl.Trainer, config.trainer)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("device: got cuda, but torch sees no GPU; use device=auto or device=cpu")


def _components(config: Config) -> Iterator[tuple[str, Component]]:
    for key in ("dataset", "model", "optimizer", "scheduler", "loss", "augmentation"):
        yield key, getattr(config, key)
    for item in config.regularization:
        yield f"regularization.{item.choice}", item


def _check_target(key: str, component: Component) -> None:
    assert component.target
    try:
        target = get_object(component.target)
    except Exception:
        raise rules.refuse(f"{key}._target_", component.target, "an importable class or function") from None
    given = {name: value for name, value in component.settings.items() if not name.startswith("_")}
    _check_arguments(key, target, given)


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
