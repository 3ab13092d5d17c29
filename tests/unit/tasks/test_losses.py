"""Losses against NumPy, finite differences and scikit-learn."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error
from sklearn.utils.class_weight import compute_class_weight

from descent.data.split import Data, Split
from descent.errors import UsageError
from descent.tasks.losses import BCE, KL, MAE, MSE, CrossEntropy, Focal, Huber, for_task, outputs_for
from reference.by_hand import cross_entropy, squared_error
from reference.trained import TABLE, trained

RANDOM = np.random.default_rng(0)
OUTPUTS, CLASSES, VALUES = RANDOM.normal(size=(20, 4)) * 3, np.arange(20) % 4, RANDOM.normal(size=(20, 4))
ODDS, BITS, CHANCES = RANDOM.normal(size=(20, 1)) * 3, np.arange(20) % 2, RANDOM.uniform(size=20)
SOFT, PAIRS = RANDOM.dirichlet(np.ones(4), 20), np.stack([1 - CHANCES, CHANCES], 1)
WEIGHTS = (0.5, 2.0, 1.0, 3.0)


def data_of(classes, outputs):
    split = Split(torch.zeros(len(classes), 1), torch.as_tensor(classes))
    return Data("given", "classification", outputs, split, None, None, "")


def fitted(loss, classes=CLASSES):
    outputs_for(loss, data_of(classes, len(loss.class_weights)))
    return loss


def value_of(loss, outputs, targets):
    return float(loss(torch.from_numpy(outputs), torch.from_numpy(np.asarray(targets))))


def value_and_slope(loss, outputs, targets):
    outputs = torch.from_numpy(outputs).requires_grad_()
    value = loss(outputs, torch.from_numpy(np.asarray(targets)))
    value.backward()
    return float(value.detach()), outputs.grad.numpy()


def rows(targets, count):
    return np.eye(count)[targets] if targets.ndim == 1 else targets


def softmax(outputs):
    raised = np.exp(outputs - outputs.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def by_class(part, outputs, targets, weights):
    """Mean over samples of the weighted sum over classes of part(target, probability)."""
    return (part(rows(targets, 4), softmax(outputs)) * np.array(weights)).sum(1).mean()


def log_part(t, p):
    return -t * np.log(p)


def focal_part(t, p):
    return -t * (1 - p) ** 1.5 * np.log(p)


def kl_part(t, p):
    return np.where(t > 0, t * np.log(np.where(t > 0, t, 1) / p), 0)


def binary(outputs, targets, weights=(1, 1)):
    t, p = (targets if targets.ndim == 1 else targets[:, 1]), 1 / (1 + np.exp(-outputs[:, 0]))
    return -(weights[1] * t * np.log(p) + weights[0] * (1 - t) * np.log(1 - p)).mean()


def huber(outputs, targets):
    error = np.abs(outputs - targets)
    return np.where(error <= 0.7, error**2 / 2, 0.7 * (error - 0.35)).mean()


OF_CLASSES = {
    "cross_entropy": (CrossEntropy, log_part),
    "focal": (partial(Focal, 1.5), focal_part),
    "kl": (KL, kl_part),
}
CASES = {
    f"{name}, {kind}{', weighted' if weights else ''}": (
        fitted(make(class_weights=weights)) if weights else make(),
        OUTPUTS,
        targets,
        partial(by_class, part, weights=weights or (1, 1, 1, 1)),
    )
    for name, (make, part) in OF_CLASSES.items()
    for kind, targets in (("numbers", CLASSES), ("soft", SOFT))
    for weights in (None, WEIGHTS)
}
CASES |= {
    "bce, numbers": (BCE(), ODDS, BITS, binary),
    "bce, soft": (BCE(), ODDS, PAIRS, binary),
    "bce, weighted": (fitted(BCE((3.0, 0.5)), BITS), ODDS, PAIRS, partial(binary, weights=(3.0, 0.5))),
    "mse of classes": (MSE(), OUTPUTS, CLASSES, lambda *given: squared_error(*given)[0]),
    "mse of soft classes": (MSE(), OUTPUTS, SOFT, lambda *given: squared_error(*given)[0]),
    "mse": (MSE(), OUTPUTS, VALUES, lambda *given: squared_error(*given)[0]),
    "mae": (MAE(), OUTPUTS, VALUES, lambda *given: np.abs(given[0] - given[1]).mean()),
    "huber": (Huber(0.7), OUTPUTS, VALUES, huber),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_slope(name):
    """The slope against central differences of the formula, not of the loss itself."""
    loss, outputs, targets, formula = CASES[name]
    value, slope = value_and_slope(loss, outputs, targets)
    assert value == pytest.approx(formula(outputs, targets), rel=1e-12)
    for place in np.ndindex(outputs.shape):
        step = np.zeros_like(outputs)
        step[place] = 1e-5
        difference = formula(outputs + step, targets) - formula(outputs - step, targets)
        assert slope[place] == pytest.approx(difference / 2e-5, abs=1e-8)


@pytest.mark.parametrize(
    ("loss", "reference", "targets"), [(CrossEntropy(), cross_entropy, CLASSES), (MSE(), squared_error, CLASSES)]
)
def test_the_analytic_slope(loss, reference, targets):
    np.testing.assert_allclose(value_and_slope(loss, OUTPUTS, targets)[1], reference(OUTPUTS, targets)[1], atol=1e-14)


def test_scikit_learn_agrees():
    assert value_of(CrossEntropy(), OUTPUTS, CLASSES) == pytest.approx(log_loss(CLASSES, softmax(OUTPUTS)))
    assert value_of(BCE(), ODDS, BITS) == pytest.approx(log_loss(BITS, 1 / (1 + np.exp(-ODDS[:, 0]))))
    assert value_of(MSE(), OUTPUTS, VALUES) == pytest.approx(mean_squared_error(VALUES, OUTPUTS))
    assert value_of(MAE(), OUTPUTS, VALUES) == pytest.approx(mean_absolute_error(VALUES, OUTPUTS))


def test_how_losses_hang_together():
    assert value_of(Focal(0.0), OUTPUTS, SOFT) == pytest.approx(value_of(CrossEntropy(), OUTPUTS, SOFT))
    assert value_of(KL(), OUTPUTS, CLASSES) == pytest.approx(value_of(CrossEntropy(), OUTPUTS, CLASSES))
    assert value_of(KL(), np.log(SOFT), SOFT) == pytest.approx(0, abs=1e-12)
    two = np.concatenate([np.zeros_like(ODDS), ODDS], 1)
    assert value_of(BCE(), ODDS, BITS) == pytest.approx(value_of(CrossEntropy(), two, BITS))
    assert value_of(Huber(1e9), OUTPUTS, VALUES) == pytest.approx(value_of(MSE(), OUTPUTS, VALUES) / 2)


@pytest.mark.parametrize("make", [CrossEntropy, partial(Focal, 2.0), KL])
def test_balanced_weights_are_scikit_learns(make):
    classes = np.repeat([0, 1, 2, 3], [10, 5, 4, 1])
    loss, given = make(class_weights="balanced"), compute_class_weight("balanced", classes=np.arange(4), y=classes)
    assert outputs_for(loss, data_of(classes, 4)) == 4
    same = fitted(make(class_weights=given.tolist()), classes)
    assert value_of(loss, OUTPUTS, classes) == pytest.approx(value_of(same, OUTPUTS, classes), rel=1e-12)
    assert value_of(loss, OUTPUTS, classes) != pytest.approx(value_of(make(), OUTPUTS, classes), rel=1e-3)


def test_a_class_without_samples_has_a_finite_weight():
    loss = CrossEntropy("balanced")
    outputs_for(loss, data_of([0, 0, 1], 3))
    assert np.isfinite(value_of(loss, OUTPUTS[:3, :3], [0, 1, 2]))


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal(2.0), KL()])
def test_large_outputs_do_not_overflow(loss):
    assert float(loss(torch.tensor([[1e4, -1e4]]), torch.tensor([1]))) == pytest.approx(2e4)
    assert float(BCE()(torch.tensor([[1e4]]), torch.tensor([0]))) == pytest.approx(1e4)


@pytest.mark.parametrize("loss", [MSE(), MAE(), Huber(1.0)])
def test_targets_take_the_outputs_type(loss):
    assert loss(torch.zeros(2, 3, dtype=torch.float64), torch.ones(2, 3)).dtype == torch.float64


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal(2.0), KL(), BCE(), MAE()])
def test_rounded_outputs_are_widened(loss):
    one = isinstance(loss, BCE)
    outputs = torch.from_numpy(ODDS if one else OUTPUTS).bfloat16()
    targets = torch.from_numpy(VALUES if isinstance(loss, MAE) else PAIRS if one else SOFT).float()
    assert float(loss(outputs, targets)) == pytest.approx(float(loss(outputs.double(), targets.double())), rel=1e-2)


def test_the_task_decides():
    assert isinstance(for_task("classification"), CrossEntropy) and isinstance(for_task("regression"), MSE)


@pytest.mark.parametrize(
    ("loss", "classes", "line"),
    [
        (CrossEntropy([1.0, 2.0]), 3, r"^loss.class_weights: got \[1.0,2.0\], allowed 3 numbers"),
        (BCE(), 3, "^loss: got bce, allowed with two classes; given has 3: use loss=cross_entropy"),
    ],
)
def test_classes_that_do_not_fit(loss, classes, line):
    with pytest.raises(UsageError, match=line):
        outputs_for(loss, data_of([0, 1, 2], classes))


def test_a_loss_of_ones_own_need_not_know_the_data():
    assert outputs_for(lambda outputs, targets: outputs.mean(), data_of([0, 1], 2)) == 2


def test_one_output_learns_two_classes():
    run = trained(
        *TABLE, "dataset.classes=2", "loss=bce", "epochs=5", "regularization=[label_smoothing,mixup]", "lr=0.01"
    )
    assert [len(layer) for layer in list(run.engine.model.parameters())[-2:]] == [1, 1]
    assert run.outcome.metrics["best/val/accuracy"] > 0.8
