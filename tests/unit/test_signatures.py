"""Targets that do not exist, or do not take what they are given."""

import dataclasses

import pytest
import torch

from descent import signatures
from descent.config import Component
from descent.errors import EnvironmentFault, UsageError


def changed(config, group, **given):
    component = getattr(config, group)
    settings = {key: value for key, value in {**component.settings, **given}.items() if value is not ...}
    return dataclasses.replace(config, **{group: Component(component.choice, settings)})


@pytest.fixture(scope="module")
def default(composed):
    return composed()


def test_the_default_passes(default):
    signatures.check(default)


@pytest.mark.parametrize(
    ("group", "given", "line"),
    [
        ("optimizer", {"beta": 1}, "optimizer.beta: got 1, allowed lr betas"),
        ("optimizer", {"params": []}, "optimizer.params: got []"),
        ("model", {"hiden": [1]}, "model.hiden: got [1], allowed hidden"),
        ("model", {"input_shape": [1]}, "model.input_shape: got [1]"),
        ("model", {"hidden": ...}, "model.hidden: missing; MLP needs it, set model.hidden=…"),
        ("model", {"_target_": "descent.models.mlp.Nothing"}, "model._target_: got descent.models.mlp.Nothing"),
        ("model", {"_target_": "descent.models.nothing.MLP"}, "model._target_: got descent.models.nothing.MLP"),
        ("model", {"_target_": "descent.models"}, "model._target_: got descent.models, allowed an importable class"),
        ("model", {"_target_": None}, "model._target_: got null"),
        ("loss", {"_target_": 3}, "loss._target_: got 3"),
        ("scheduler", {"gamma": 0.1}, "scheduler.gamma: got 0.1, allowed interval"),
        ("dataset", {"size": 1}, "dataset.size: got 1"),
    ],
)
def test_a_setting_that_a_target_does_not_take(default, group, given, line):
    with pytest.raises(UsageError) as refusal:
        signatures.check(changed(default, group, **given))
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize(
    ("argument", "value"), [("foo", 1), ("max_time", "soon"), ("limit_val_batches", -3), ("strategy", "foo")]
)
def test_an_argument_that_lightning_does_not_take(default, argument, value):
    config = dataclasses.replace(default, trainer={**default.trainer, argument: value})
    with pytest.raises(UsageError, match=f"^trainer.{argument}: got {value}"):
        signatures.check(config)


@pytest.mark.parametrize(("argument", "value"), [("max_time", "00:01:00:00"), ("limit_val_batches", 2)])
def test_an_argument_that_it_does(default, argument, value):
    signatures.check(dataclasses.replace(default, trainer={**default.trainer, argument: value}))


def test_a_device_that_is_not_there(default, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentFault, match=r"^device: got cuda"):
        signatures.check(dataclasses.replace(default, device="cuda"))
