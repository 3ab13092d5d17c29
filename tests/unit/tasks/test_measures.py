"""Metrics against scikit-learn, however the samples arrive."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score

from descent.tasks import measures
from descent.tasks.losses import MSE, CrossEntropy
from descent.tasks.measures import Tally, measures_of

ROWS = 500
RANDOM = np.random.default_rng(0)
LOGITS, CLASSES = RANDOM.normal(size=(ROWS, 5)), RANDOM.integers(0, 5, ROWS)
TARGETS = RANDOM.normal(3, [1, 10, 0.1], size=(ROWS, 3))
GUESSES = TARGETS + RANDOM.normal(0, 0.5, TARGETS.shape)
CASES = {"classification": (CrossEntropy(), LOGITS, CLASSES), "regression": (MSE(), GUESSES, TARGETS)}
CUTS = [[ROWS], [1] * ROWS, [499, 1], [123, 77, 300], [128, 128, 128, 116]]


def measured(task, sizes, dtype=torch.float64):
    loss, outputs, targets = CASES[task]
    tally = Tally(loss, measures_of(task))
    values = torch.from_numpy(outputs).to(dtype), torch.from_numpy(targets)
    for batch in zip(*(value.split(sizes) for value in values), strict=True):
        tally.add(*batch)
    assert tally.rows == ROWS
    return tally.metrics()


def test_classification_is_scikit_learns():
    metrics = measured("classification", [ROWS])
    assert metrics["accuracy"] == accuracy_score(CLASSES, LOGITS.argmax(1))
    assert list(metrics) == ["loss", "accuracy"]


def test_regression_is_scikit_learns():
    metrics = measured("regression", [ROWS])
    assert metrics["mae"] == pytest.approx(mean_absolute_error(TARGETS, GUESSES), rel=1e-12)
    assert metrics["r2"] == pytest.approx(r2_score(TARGETS, GUESSES), rel=1e-10)
    assert metrics["loss"] == pytest.approx(((TARGETS - GUESSES) ** 2).mean(), rel=1e-12)


@pytest.mark.parametrize("task", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [64, 100, 4096])
def test_any_partition_gives_the_same_bits(task, dtype, block, monkeypatch):
    monkeypatch.setattr(measures, "BLOCK", block)
    whole = measured(task, CUTS[0], dtype)
    assert all(measured(task, sizes, dtype) == whole for sizes in CUTS[1:])


@pytest.mark.parametrize("task", CASES)
def test_blocks_change_the_last_bits_at_most(task, monkeypatch):
    whole = measured(task, CUTS[0])
    monkeypatch.setattr(measures, "BLOCK", 37)
    for name, value in measured(task, CUTS[3]).items():
        assert value == pytest.approx(whole[name], rel=1e-12)


def test_r2_of_a_constant_target_is_undefined():
    tally = Tally(MSE(), measures_of("regression"))
    tally.add(torch.randn(9, 1), torch.ones(9, 1))
    assert np.isnan(tally.metrics()["r2"])
