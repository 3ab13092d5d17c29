"""Gradients of every model and every loss in conf/, as assembled, against central differences in double precision."""

from pathlib import Path

import pytest
import torch
import yaml

from descent import assembly

CONF = Path(__file__).parents[2] / "conf"
IMAGES = ("dataset=synthetic", "dataset.kind=image", "dataset.shape=[2,8,8]", "dataset.samples=30", "dataset.classes=3")
VALUES = ("dataset=synthetic", "dataset.task=regression", "dataset.classes=3", "dataset.samples=30")
SMALLER = {
    "alexnet": ("model.channels=[3,4,5,4,3]", "model.hidden=[6]"),
    "cnn": ("model.channels=[3,4]",),
    "lstm": ("model.hidden=5",),
    "mlp": ("model.hidden=[6,5]",),
    "resnet": ("model.channels=[3,4]", "model.depth=1"),
    "surface": (
        "dataset.task=regression",
        "dataset.kind=table",
        "dataset.shape=[2]",
        "dataset.classes=1",
        "loss=value",
        "model.noise=0.5",
    ),
    "torchvision": ("model.name=resnet18", "dataset.shape=[1,32,32]"),
    "vgg": ("model.blocks=[[3,3],[4]]",),
}


def choices(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def takes(model, argument):
    return argument in yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text())


def slopes(composed, *overrides, step=1e-6, training=True):
    """Pairs of what backward and what differences say, along a random direction of each parameter, and of all at once.

    Out of training only the latter, for models of millions of weights, and by a shorter way: fewer corners lie on it.
    """
    parts = assembly.assemble(composed("tracking=none", "threads=1", "batch_size=10", *overrides))
    model, loss = parts.engine.model.double().train(training), parts.engine.recipe.loss
    random = torch.Generator().manual_seed(1)
    data = parts.data.train
    targets = data.targets if data.targets.dtype == torch.int64 else data.targets.double()
    inputs = data.inputs.double()
    parameters = list(model.parameters())
    loss(model(inputs), targets).backward()
    directions = [torch.randn(one.shape, generator=random, dtype=torch.float64) for one in parameters]
    groups = [([one], [way]) for one, way in zip(parameters, directions, strict=True)] if training else []
    for moved, ways in [*groups, (parameters, directions)]:
        expected = sum(float((one.grad * way).sum()) for one, way in zip(moved, ways, strict=True))
        values = []
        with torch.no_grad():
            for length in (step, -2 * step):
                torch._foreach_add_(moved, ways, alpha=length)
                values.append(float(loss(model(inputs), targets)))
            torch._foreach_add_(moved, ways, alpha=step)
        yield expected, (values[0] - values[1]) / (2 * step)


def agree(found):
    pairs = list(found)
    assert any(abs(backward) > 1e-3 for backward, _ in pairs)
    for backward, difference in pairs:
        assert difference == pytest.approx(backward, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("model", choices("model"))
def test_every_model(composed, model):
    more = {"step": 1e-8, "training": False} if model == "torchvision" else {}
    agree(slopes(composed, *IMAGES, f"model={model}", *SMALLER.get(model, ()), **more))


NORMED = [
    (model, norm)
    for model in choices("model")
    for norm in ("batch_norm", "layer_norm", "weight_norm")
    if model not in ("surface", "torchvision") and (norm == "weight_norm" or takes(model, "norm"))
]


@pytest.mark.parametrize(("model", "norm"), NORMED)
def test_every_model_with_a_norm(composed, model, norm):
    agree(slopes(composed, *IMAGES, f"model={model}", *SMALLER.get(model, ()), f"regularization=[{norm}]"))


def suits(loss, task):
    requires = yaml.safe_load((CONF / "loss" / f"{loss}.yaml").read_text()).get("requires", task)
    return str(requires).endswith(task)


LOSSES = [
    (loss, task)
    for loss in choices("loss")
    for task in ("classification", "regression")
    if loss != "value" and suits(loss, task)  # which is the surface's
]


@pytest.mark.parametrize(("loss", "task"), LOSSES)
def test_every_loss(composed, loss, task):
    data = VALUES if task == "regression" else (*IMAGES, "dataset.classes=2")
    more = {"huber": ["loss.delta=0.5"], "focal": ["loss.gamma=1.5"]}.get(loss, [])
    agree(slopes(composed, *data, "model=mlp", *SMALLER["mlp"], "model.activation=tanh", f"loss={loss}", *more))
