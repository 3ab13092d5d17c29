"""Twenty steps of each regularizer against NumPy: the formula is right, and it acts."""

import numpy as np
import pytest
import torch

from descent.reproducibility import epoch_order
from reference.by_hand import Perceptron, cross_entropy, standardised
from reference.trained import TABLE, fit, parts_of, trained

COMMON = (*TABLE, "precision=64", "restore=last", "optimizer=sgd", "lr=0.1", "epochs=3", "batch_size=16")
RATE, CLASSES = 0.1, 3


def run_of(*overrides):
    config, parts = parts_of(*COMMON, "model.activation=tanh", *overrides)
    initial = [parameter.detach().double().numpy().copy() for parameter in parts.engine.model.parameters()]
    return fit(config, parts), initial


def tables(run):
    data = run.parts.data
    raw = {name: getattr(data, name).inputs.double().numpy() for name in ("train", "val")}
    return {name: standardised(values, raw["train"]) for name, values in raw.items()}


def walk(run, initial, gradients, after=lambda parameters: None):
    """The weights after every step of gradient descent, from `gradients(network, inputs, classes, step)`."""
    inputs, classes = tables(run)["train"], run.parts.data.train.targets.numpy()
    network = Perceptron([value.copy() for value in initial], "tanh")
    seen = []
    for epoch in range(run.config.epochs):
        order = epoch_order(run.config.seed, epoch, len(classes)).numpy()
        for rows in np.split(order, range(16, len(order), 16)):
            slopes = gradients(network, inputs[rows], classes[rows], len(seen))
            network.parameters = [w - RATE * g for w, g in zip(network.parameters, slopes, strict=True)]
            after(network.parameters)
            seen.append([w.copy() for w in network.parameters])
    assert len(seen) == 30 == run.trainer.global_step
    return seen


def plain(network, inputs, classes, step=0):
    return network.gradients(inputs, classes, "cross_entropy")[1]


def penalised(slope):
    """The loss's gradient, and `slope(w)` on matrices."""

    def gradients(network, *batch):
        return [
            g + (slope(w) if w.ndim > 1 else 0) for g, w in zip(plain(network, *batch), network.parameters, strict=True)
        ]

    return gradients


def cut_off(network, *batch):
    values = [np.clip(g, -0.05, 0.05) for g in plain(network, *batch)]
    length = np.sqrt(sum((g**2).sum() for g in values))
    return [g * min(1, 0.2 / (length + 1e-6)) for g in values]


def smoothed(network, inputs, classes, step):
    """Cross-entropy is linear in its target: a tenth goes to each class by its third."""
    parts = [(0.9, classes), *((0.1 / CLASSES, np.full_like(classes, one)) for one in range(CLASSES))]
    slopes = [[share * g for g in plain(network, inputs, target)] for share, target in parts]
    return [sum(column) for column in zip(*slopes, strict=True)]


def sharpest(network, *batch):
    own, first = network.parameters, plain(network, *batch)
    length = np.sqrt(sum((g**2).sum() for g in first))
    network.parameters = [w + 0.3 * g / length for w, g in zip(own, first, strict=True)]
    slopes = plain(network, *batch)
    network.parameters = own
    return slopes


def short(parameters):
    for w in parameters:
        if w.ndim > 1:
            w *= np.minimum(1, 0.7 / np.linalg.norm(w, axis=1, keepdims=True))


CASES = {
    "l2": (("strength=0.2",), penalised(lambda w: 0.2 * w)),
    "l1": (("strength=0.02",), penalised(lambda w: 0.02 * np.sign(w))),
    "elastic_net": (
        ("strength=0.1", "l1_ratio=0.3"),
        penalised(lambda w: 0.1 * (0.3 * np.sign(w) + 0.7 * w)),
    ),
    "gradient_clipping": (("max_norm=0.2", "max_value=0.05"), cut_off),
    "label_smoothing": (("smoothing=0.1",), smoothed),
    "sam": (("radius=0.3",), sharpest),
    "max_norm": (("longest=0.7",), plain, short),
}


def overrides_of(name, knobs):
    return [f"regularization=[{name}]", *(f"regularization.{name}.{knob}" for knob in knobs)]


def furthest(ours, theirs):
    return max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))


def weights_of(run):
    return [parameter.detach().numpy() for parameter in run.engine.model.parameters()]


@pytest.fixture(scope="module")
def without():
    """The end of the same training without any."""
    run, initial = run_of()
    assert furthest(weights_of(run), walk(run, initial, plain)[-1]) < 1e-9
    return weights_of(run)


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_the_formulas(without, name):
    knobs, *formula = CASES[name]
    run, initial = run_of(*overrides_of(name, knobs))
    assert furthest(weights_of(run), walk(run, initial, *formula)[-1]) < 1e-7
    assert furthest(weights_of(run), without) > 1e-3


def value_of(parameters, inputs, classes):
    return cross_entropy(Perceptron(parameters, "tanh").forward(inputs), classes)[0]


def moving(seen):
    shares = 0.8 ** np.arange(len(seen))[::-1]
    return [np.tensordot(shares / shares.sum(), np.stack(column), 1) for column in zip(*seen, strict=True)]


def ends_of_epochs(seen):
    """The first of three epochs is left out."""
    ends = seen[9::10][1:] if len(seen) > 10 else seen[-1:]
    return [np.mean(column, axis=0) for column in zip(*ends, strict=True)]


@pytest.mark.parametrize(
    ("name", "knobs", "average"), [("ema", ("decay=0.8",), moving), ("swa", ("start=0.34",), ends_of_epochs)]
)
def test_the_averaged_weights_are_the_ones_evaluated_and_reported(without, name, knobs, average):
    run, initial = run_of(*overrides_of(name, knobs))
    seen = walk(run, initial, plain)
    assert furthest(weights_of(run), average(seen)) < 1e-9
    assert furthest(seen[-1], without) < 1e-9  # the training itself is the same
    assert furthest(weights_of(run), without) > 1e-3
    inputs, classes = tables(run)["val"], run.parts.data.val.targets.numpy()
    expected = [value_of(average(seen[:steps]), inputs, classes) for steps in (10, 20, 30)]
    np.testing.assert_allclose([value for _, value in run.engine.history["val/loss"]], expected, rtol=1e-7)


@pytest.mark.parametrize("name", ["ema", "swa"])
def test_the_best_average_is_kept(name):
    """Restoring the best epoch's gives the weights that were measured, running statistics of norms among them."""
    extra = ("restore=best", "objective=val/loss", "lr=1", "epochs=6", f"regularization=[{name},batch_norm]")
    run = trained(*TABLE, "batch_size=16", *extra)
    assert run.outcome.objective == min(value for _, value in run.engine.history["val/loss"])
    assert run.outcome.metrics["best/val/loss"] == run.outcome.objective
    measured = run.trainer.validate(run.engine, verbose=False), float(run.trainer.callback_metrics["val/loss"])
    assert measured[1] == run.outcome.objective


def test_statistics_of_norms_move_once_a_step_of_two_passes():
    run = trained(*TABLE, "batch_size=16", "epochs=2", "regularization=[sam,batch_norm]", "restore=last")
    (norm,) = [layer for layer in run.engine.model.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    assert int(norm.num_batches_tracked) == 20 == run.trainer.global_step
