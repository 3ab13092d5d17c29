"""Twenty steps against NumPy: every optimizer, model, loss and penalty."""

import numpy as np
import pytest

from reference.by_hand import Optimizer
from reference.stepped import DOUBLE, agree, by_hand, watched, weights_of
from reference.trained import trained

OPTIMIZERS = {
    "sgd": (["optimizer=sgd", "lr=0.2"], Optimizer("sgd", 0.2)),
    "sgd decay": (["optimizer=sgd", "lr=0.2", "weight_decay=0.1"], Optimizer("sgd", 0.2, decay=0.1)),
    "momentum": (["optimizer=momentum", "lr=0.05"], Optimizer("momentum", 0.05)),
    "dampening": (
        ["optimizer=momentum", "lr=0.1", "optimizer.momentum=0.8", "optimizer.dampening=0.5", "weight_decay=0.01"],
        Optimizer("momentum", 0.1, momentum=0.8, dampening=0.5, decay=0.01),
    ),
    "nesterov": (["optimizer=momentum", "optimizer.nesterov=true"], Optimizer("momentum", 0.05, nesterov=True)),
    "adam": (["optimizer=adam", "lr=0.01"], Optimizer("adam", 0.01)),
    "adam decay": (
        ["optimizer=adam", "lr=0.01", "weight_decay=0.1", "optimizer.betas=[0.8,0.99]", "optimizer.eps=1e-4"],
        Optimizer("adam", 0.01, decay=0.1, beta1=0.8, beta2=0.99, eps=1e-4),
    ),
    "adamw": (["optimizer=adamw", "lr=0.01", "weight_decay=0.1"], Optimizer("adamw", 0.01, decay=0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_of_an_optimizer(name):
    overrides, optimizer = OPTIMIZERS[name]
    run, losses, initial = watched(*DOUBLE, "epochs=2", "batch_size=16", *overrides)
    fresh = Optimizer(**{**vars(optimizer), "memory": {}, "steps": 0})
    agree(run, losses, by_hand(run, initial, fresh, "cross_entropy"))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_twenty_steps_of_a_model_and_loss(activation, loss):
    run, losses, initial = watched(
        *DOUBLE, "epochs=2", "batch_size=16", "model.hidden=[7,5]", f"model.activation={activation}", f"loss={loss}"
    )
    agree(run, losses, by_hand(run, initial, Optimizer("adam", 0.001), loss))


def test_twenty_steps_of_a_regression():
    run, losses, initial = watched(*DOUBLE, "dataset.task=regression", "epochs=2", "batch_size=16", "optimizer=sgd")
    agree(run, losses, by_hand(run, initial, Optimizer("sgd", 0.1), "mse"))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_l2_and_clipping(optimizer):
    run, losses, initial = watched(
        *DOUBLE,
        "epochs=2",
        "batch_size=16",
        f"optimizer={optimizer}",
        "lr=0.05",
        "regularization=[l2,gradient_clipping]",
        "regularization.l2.strength=0.3",
        "regularization.gradient_clipping.max_norm=0.4",
    )
    agree(run, losses, by_hand(run, initial, Optimizer(optimizer, 0.05), "cross_entropy", penalty=0.3, longest=0.4))


def test_l2_is_weight_decay_under_sgd_and_not_under_adam():
    def apart(optimizer):
        common = (*DOUBLE, "epochs=2", "batch_size=16", f"optimizer={optimizer}", "lr=0.01")
        penalty = trained(*common, "regularization=[l2]", "regularization.l2.strength=0.2")
        decay = trained(*common, "weight_decay=0.2")
        return max(np.abs(a - b).max() for a, b in zip(weights_of(penalty), weights_of(decay), strict=True))

    assert apart("sgd") < 1e-14
    assert apart("adam") < 1e-14  # torch's Adam sends weight_decay through its moments: it is L2 by another name
    assert apart("adamw") > 1e-3


@pytest.mark.parametrize(
    ("extra", "steps"),
    [(["batch_size=full", "epochs=20"], 20), (["batch_size=14", "epochs=3", "loader.drop_last=true"], 3 * (160 // 14))],
)
def test_how_an_epoch_is_cut(extra, steps):
    run, losses, initial = watched(*DOUBLE, "optimizer=sgd", *extra)
    assert len(losses) == steps == run.parts.steps
    agree(run, losses, by_hand(run, initial, Optimizer("sgd", 0.1), "cross_entropy"))


@pytest.mark.parametrize("samples", [200, 187])
def test_accumulated_minibatches_are_one_large_one(samples):
    def run(*extra):
        return trained(*DOUBLE, "epochs=2", f"dataset.samples={samples}", "regularization=[l2]", *extra)

    small, large = run("batch_size=8", "accumulate=4"), run("batch_size=32")
    assert small.parts.steps == large.parts.steps == 2 * -(-len(large.parts.data.train) // 32)
    for one, other in zip(weights_of(small), weights_of(large), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert small.outcome.metrics["final/train/loss"] == pytest.approx(large.outcome.metrics["final/train/loss"])
