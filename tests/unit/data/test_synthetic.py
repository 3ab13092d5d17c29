"""Synthetic data is a function of its own seed, and as easy or hard as its noise says."""

import numpy as np
import pytest
import torch

from descent.data.synthetic import synthetic


def made(task="classification", shape=(5,), samples=90, classes=3, noise=0.5, seed=0):
    return synthetic(task, task, shape, samples, classes, noise, seed, 0.0, 0.0, split_seed=0).train


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_function_of_its_seed(task):
    assert torch.equal(made(task).inputs, made(task).inputs)
    assert not torch.equal(made(task).inputs, made(task, seed=1).inputs)


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4)])
def test_shapes(shape):
    assert made(shape=shape).inputs.shape == (90, *shape)
    assert made("regression", shape=shape).targets.shape == (90, 3)
    assert np.bincount(made(shape=shape).targets).tolist() == [30, 30, 30]


def test_without_noise_classes_are_points_and_targets_are_linear():
    clusters = made(noise=0.0)
    assert len(torch.unique(clusters.inputs, dim=0)) == 3
    line = made("regression", noise=0.0)
    _, residuals, _, _ = np.linalg.lstsq(line.inputs.double().numpy(), line.targets.double().numpy(), rcond=None)
    assert residuals.max() < 1e-9
