"""What a recorded configuration may build."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from descent import composition
from descent.errors import UsageError
from descent.reproduction.permission import refuse_targets

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("model", "optimizer", "scheduler", "regularization", "dataset", "augmentation", "loss", "experiment")
CHOICES = [f"{group}={file.stem}" for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
FORBIDDEN = [
    {"_target_": "os.system"},
    {"_target_": "torch.load"},
    {"_target_": "torch.utils.collect_env.run"},
    {"_target_": "torch.optimal.x"},
    {"_target_": "descent.tracking.provenance.git"},
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
    composed = OmegaConf.to_container(composition.without_hydra(composition.compose(words)))
    assert "_target_" in str(composed)
    refuse_targets(composed, [])


@pytest.mark.parametrize("loss", FORBIDDEN, ids=str)
def test_what_could_do_anything_may_not(loss):
    with pytest.raises(UsageError, match=r"allowed (what torch|\$\{key\})"):
        refuse_targets({"seed": "${oc.select:a,${oc.env:B,1}}", "loss": loss}, ["mine"])


def test_what_is_trusted_may():
    refuse_targets({"loss": {"_target_": "mine.losses.Loss", "share": "${seed}"}}, ["mine"])
    with pytest.raises(UsageError, match=r"trusted_modules=mine "):
        refuse_targets({"loss": {"_target_": "mine.losses.Loss"}}, [])
