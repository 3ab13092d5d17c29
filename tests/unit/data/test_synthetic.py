"""Synthetic data is a function of its own seed, and as easy or hard as its noise says."""

import numpy as np
import pytest
import torch

from descent.data.synthetic import synthetic


def made(task="classification", shape=(5,), samples=90, classes=3, difficulty=0.0, noise=0.5, seed=0):
    return synthetic(task, shape, samples, classes, difficulty, noise, seed)


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


@pytest.mark.parametrize("difficulty", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_two_classes_overlap_as_the_formula_says(difficulty):
    """The best rule knows the centres; how often it is right is the normal distribution's."""
    from scipy.stats import norm

    noise, rows = 1.5, 20_000
    centres = made(classes=2, samples=2, noise=0.0).inputs.double().numpy()
    data = made(classes=2, samples=rows, difficulty=difficulty, noise=noise)
    values, labels = data.inputs.double().numpy(), data.targets.numpy()
    axis = centres[1] - centres[0]
    middle = (1 - difficulty) * (centres[0] + centres[1]) / 2
    right = (((values - middle) @ axis > 0) == (labels == 1)).mean()
    expected = norm.cdf((1 - difficulty) * np.linalg.norm(axis) / (2 * noise))
    assert right == pytest.approx(expected, abs=4 * np.sqrt(0.25 / rows))


def test_difficulty_makes_a_linear_map_smaller():
    easy, hard = (made("regression", noise=0.0, difficulty=value) for value in (0.0, 0.75))
    np.testing.assert_allclose(hard.targets, 0.25 * easy.targets, rtol=1e-5, atol=1e-7)
    assert torch.equal(easy.inputs, hard.inputs)
