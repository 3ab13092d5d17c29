"""What a recorded configuration may build."""

import importlib
from pathlib import Path

import pytest

from descent import composition
from descent.errors import UsageError
from descent.reproduction.permission import PARTS, refuse_targets

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("model", "optimizer", "scheduler", "regularization", "dataset", "augmentation", "loss", "experiment")
CHOICES = [f"{group}={file.stem}" for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
FORBIDDEN = [
    {"_target_": "os.system"},
    {"_target_": "torch.load"},
    {"_target_": "torch.utils.collect_env.run"},
    {"_target_": "torch.optimal.x"},
    {"_target_": "descent.tracking.provenance.git"},
    {"_target_": "descent.data.cache.os.system"},
    {"_target_": "torch.optim.optimizer.functools.reduce"},
    {"_target_": "torch.optim.Adam.step"},
    {"_target_": "${model.name}"},
    [{"x": ({"_target_": "a.b"},)}],
    "${oc.decode:'{_target_: a.b}'}",
    "${oc.create:${seed}}",
    "${oc.select:seed,${oc.decode:x}}",
    "${${name}:x}",
]


@pytest.mark.parametrize("choice", CHOICES)
def test_whatever_is_shipped_may_be_built(choice):
    group, _, name = choice.partition("=")
    words = [f"regularization=[{name}]" if group == "regularization" else choice]
    composed = composition.without_hydra(composition.compose(words))
    assert "_target_" in str(composed)
    refuse_targets(composed, [])


@pytest.mark.parametrize("loss", FORBIDDEN, ids=str)
def test_what_could_do_anything_may_not(loss):
    with pytest.raises(UsageError, match=r"allowed (what torch|\$\{key\})"):
        refuse_targets({"seed": "${oc.select:a,${oc.env:B,1}}", "loss": loss}, ["mine"])


def test_a_part_s_module_imports_nothing_by_name_that_could_do_anything():
    """What stands in such a module may be built, whoever has defined it."""
    harmless = {"PIL", "builtins", "collections", "contextlib", "dataclasses", "functools", "pathlib", "typing"}
    harmless |= {"_functools", "descent", "pytorch_lightning", "rich", "safetensors", "torch"}
    names = [f"{file.parent.name}.{file.stem}" for file in sorted(CONF.parent.glob("src/descent/*/*.py"))]
    modules = [f"descent.{name}" for name in names if PARTS.fullmatch(f"descent.{name}.x") and "__" not in name]
    assert {name.split(".")[1] for name in modules} >= {"data", "models", "optim", "tasks"}
    for module in map(importlib.import_module, modules):
        makers = {str(getattr(one, "__module__", "")).split(".")[0] for one in vars(module).values() if callable(one)}
        assert makers <= harmless, module.__name__


def test_what_is_trusted_may():
    refuse_targets({"loss": {"_target_": "mine.losses.Loss", "share": "${seed}"}}, ["mine"])
    with pytest.raises(UsageError, match=r"trusted_modules=mine "):
        refuse_targets({"loss": {"_target_": "mine.losses.Loss"}}, [])
