"""Losses against NumPy, by hand and by scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error

from descent.tasks.losses import MSE, CrossEntropy, for_task
from reference.by_hand import cross_entropy, squared_error

RANDOM = np.random.default_rng(0)
OUTPUTS, CLASSES, VALUES = RANDOM.normal(size=(20, 4)) * 3, np.arange(20) % 4, RANDOM.normal(size=(20, 4))


def value_and_slope(loss, targets):
    outputs = torch.from_numpy(OUTPUTS).requires_grad_()
    value = loss(outputs, torch.from_numpy(targets))
    value.backward()
    return float(value.detach()), outputs.grad.numpy()


@pytest.mark.parametrize(
    ("loss", "reference", "targets"),
    [(CrossEntropy(), cross_entropy, CLASSES), (MSE(), squared_error, CLASSES), (MSE(), squared_error, VALUES)],
    ids=["cross_entropy", "mse of classes", "mse"],
)
def test_value_and_slope(loss, reference, targets):
    value, slope = value_and_slope(loss, targets)
    expected, slopes = reference(OUTPUTS, targets)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(slope, slopes, atol=1e-14)


def test_scikit_learn_agrees():
    probabilities = np.exp(OUTPUTS) / np.exp(OUTPUTS).sum(1, keepdims=True)
    assert value_and_slope(CrossEntropy(), CLASSES)[0] == pytest.approx(log_loss(CLASSES, probabilities))
    assert value_and_slope(MSE(), VALUES)[0] == pytest.approx(mean_squared_error(VALUES, OUTPUTS))


def test_large_outputs_do_not_overflow():
    outputs = torch.tensor([[1e4, -1e4]])
    assert float(CrossEntropy()(outputs, torch.tensor([1]))) == pytest.approx(2e4)


def test_targets_take_the_outputs_type():
    assert MSE()(torch.zeros(2, 3, dtype=torch.float64), torch.ones(2, 3)).dtype == torch.float64


def test_the_task_decides():
    assert isinstance(for_task("classification"), CrossEntropy) and isinstance(for_task("regression"), MSE)
