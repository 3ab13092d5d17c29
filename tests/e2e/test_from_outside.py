"""An optimizer, a model and a regularizer of another package: found, checked, trained and resumed as our own."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

PACKAGE = '''
import torch
from torch import nn

from descent.regularization.method import Method, weights


class SignMomentum(torch.optim.Optimizer):
    """Steps by lr in the sign of a running mean of gradients."""

    def __init__(self, params, lr, weight_decay=0.0, memory=0.9):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "memory": memory})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                mean.mul_(group["memory"]).add_(parameter.grad, alpha=1 - group["memory"])
                parameter.add_(mean.sign(), alpha=-group["lr"])


class Gated(nn.Module):
    """One hidden layer whose units each have a gate."""

    def __init__(self, input_shape, outputs, units, dropout=0.0):
        super().__init__()
        features = torch.Size(input_shape).numel()
        self.value, self.gate = nn.Linear(features, units), nn.Linear(features, units)
        self.dropout, self.out = nn.Dropout(dropout), nn.Linear(units, outputs)

    def forward(self, inputs):
        flat = inputs.flatten(1)
        return self.out(self.dropout(self.value(flat) * torch.sigmoid(self.gate(flat))))


class Coarse(Method):
    """After each step weights are rounded to multiples of `grain`; counts how often."""

    def __init__(self, grain):
        self.grain, self.steps = grain, 0

    def after_step(self, parameters):
        self.steps += 1
        with torch.no_grad():
            for weight in weights(parameters):
                weight.copy_((weight / self.grain).round() * self.grain)

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]
'''
FILES = {
    "optimizer/sign_momentum": """# @package _global_
# Steps by the sign of a mean gradient.
lr: 0.015625
optimizer:
  _target_: outsiders.SignMomentum
  _partial_: true
  lr: ${lr}
  weight_decay: ${weight_decay}
  memory: 0.8
  allowed:
    lr: follows lr
    weight_decay: follows weight_decay
    memory: float [0, 1)
""",
    "model/gated": """# A gated layer.
_target_: outsiders.Gated
units: 16
dropout: ${oc.select:regularization.dropout.p,0.0}
allowed:
  units: int [1, 1024]
  dropout: follows regularization.dropout.p else 0.0
""",
    "regularization/coarse": """# @package regularization.coarse
# Weights of few digits.
_target_: outsiders.Coarse
grain: 0.0078125
allowed:
  grain: float (0, 1]
""",
}
CHOICES = ["model=gated", "optimizer=sign_momentum", "regularization=[coarse,dropout]", "scheduler=step"]
QUIET = ["tracking=none", "threads=1", "hydra.run.dir=run"]


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """The package on Python's path, its choices in a folder of their own; the flag that names it."""
    (tmp_path / "outsiders.py").write_text(PACKAGE)
    for name, text in FILES.items():
        file = tmp_path / "their_conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield ["--config-dir", str(tmp_path / "their_conf")]
    sys.modules.pop("outsiders", None)


def test_all_three_train_together(outside, run_here, tmp_path):
    answer = run_here([*outside, *CHOICES, *QUIET, "epochs=4", "scheduler.every=2"])
    assert (answer.code, answer.err) == (0, "")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"]["test/accuracy"] > 0.8  # a tenth of it is chance
    weights = load_file(tmp_path / "run" / "weights.safetensors")
    assert {tuple(value.shape) for name, value in weights.items() if "gate" in name} == {(16, 64), (16,)}
    matrices = [value for name, value in weights.items() if name.split(".")[-1] == "weight" and value.ndim > 1]
    assert len(matrices) == 3
    for value in matrices:
        grains = value / 0.0078125
        assert torch.equal(grains, grains.round())


def test_they_are_resumed_to_the_same_bits(outside, run_here, tmp_path):
    def digest(name, *epochs):
        for count in epochs:
            answer = run_here([*outside, *CHOICES, *QUIET[:2], f"hydra.run.dir={name}", f"epochs={count}"])
            assert answer.code == 0, answer.err
        return json.loads((tmp_path / name / "results.json").read_text())["weights_sha256"]

    assert digest("whole", 3) == digest("extended", 1, 3)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.unit=3", "model.unit: unknown key; allowed under model: dropout units; did you mean model.units?"),
        ("optimizer.memory=1", "optimizer.memory: got 1, allowed float [0, 1)"),
        ("regularization.coarse.grain=fine", "regularization.coarse.grain: got fine, allowed float (0, 1]"),
        ("regularization=[coarse,batch_norm]", "regularization: got batch_norm, allowed with a model that takes norm"),
        ("+model.depth=2", "model.depth: got 2, allowed units dropout"),
    ],
)
def test_their_knobs_are_checked_as_ours(outside, run_here, tmp_path, override, line):
    answer = run_here([*outside, *CHOICES, *QUIET, override])
    assert answer.code == 2
    assert answer.err.startswith(line)
    assert not (tmp_path / "run").exists()
    many = run_here(["-m", *outside, *CHOICES, *QUIET[:2], f"hydra.sweep.dir={tmp_path}/run", override])
    assert (many.code, many.err) == (2, answer.err)
