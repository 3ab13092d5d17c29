"""Points on curves and orders of values: where the formula says, and as hard as it says."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

from descent.data.curves import spirals, two_moons
from descent.data.sequences import sequences

MADE = {
    "two_moons": lambda noise=0.0, seed=0, samples=600: two_moons(samples, noise, seed),
    "spirals": lambda noise=0.0, seed=0, samples=600: spirals(samples, 3, 1.5, noise, seed),
    "sequences": lambda noise=0.0, seed=0, samples=600: sequences(samples, 4, 9, noise, seed),
}


@pytest.mark.parametrize("name", MADE)
def test_a_function_of_its_seed(name):
    torch.manual_seed(1)
    one = MADE[name](0.1).inputs
    torch.manual_seed(2)
    assert torch.equal(one, MADE[name](0.1).inputs), "the global generator has no part in it"
    assert not torch.equal(one, MADE[name](0.1, seed=1).inputs)


@pytest.mark.parametrize("name", MADE)
def test_classes_are_of_one_size(name):
    counts = np.bincount(MADE[name]().targets)
    assert counts.max() - counts.min() <= 1 and MADE[name]().name == name


@pytest.mark.parametrize("name", MADE)
def test_noise_is_normal_around_the_curve(name):
    """Of a sample whose place does not depend on the noise: the generator draws it last."""
    gap = (MADE[name](0.3, samples=20_000).inputs - MADE[name](0.0, samples=20_000).inputs).numpy()
    assert gap.mean() == pytest.approx(0, abs=0.01) and gap.std() == pytest.approx(0.3, rel=0.02)


def test_moons_lie_on_their_half_circles():
    source = two_moons(600, 0.0, 0)
    points, upper = source.inputs.double().numpy(), source.targets.numpy() == 0
    np.testing.assert_allclose(np.linalg.norm(points[upper], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points[~upper] - [1, 0.5], axis=1), 1, atol=1e-6)
    assert points[upper, 1].min() >= -1e-6 and points[~upper, 1].max() <= 0.5 + 1e-6


@pytest.mark.parametrize(("classes", "turns"), [(2, 1.0), (5, 0.25), (3, 4.0)])
def test_spirals_lie_on_their_arms(classes, turns):
    source = spirals(600, classes, turns, 0.0, 0)
    points = source.inputs.double().numpy()
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    assert radius.max() <= 1 + 1e-6
    off = angle / (2 * np.pi) - turns * radius - source.targets.numpy() / classes
    far = radius > 0.01  # in the middle an angle says nothing
    np.testing.assert_allclose(off[far], np.round(off[far]), atol=1e-4)


@pytest.mark.parametrize("name", ["two_moons", "spirals"])
def test_no_line_parts_the_curves_and_neighbours_do(name):
    source = MADE[name](0.02)
    points, labels = source.inputs.numpy(), source.targets.numpy()
    assert LogisticRegression().fit(points, labels).score(points, labels) < 0.9
    assert KNeighborsClassifier(3).fit(points[:300], labels[:300]).score(points[300:], labels[300:]) > 0.95


# Sequences


def test_only_the_order_differs():
    source = sequences(4000, 4, 9, 0.0, 0)
    rows, labels = source.inputs.numpy(), source.targets.numpy()
    np.testing.assert_allclose(np.sort(rows, 1), np.tile(np.linspace(-1, 1, 9), (4000, 1)), atol=1e-6)
    for label in range(4):
        averages = rows[labels == label].mean(0)
        assert np.abs(averages).max() < 4 * 0.65 / np.sqrt(1000), "of a value from -1 to 1, as of every other"
    linear = LogisticRegression().fit(rows, labels)
    assert log_loss(labels, linear.predict_proba(rows)) > np.log(4) - 0.01, "a linear model does no better than a guess"


def test_the_next_value_tells_the_class():
    """A class's order is a cycle: which value follows which is all there is to see, and it is enough."""
    source = sequences(400, 4, 9, 0.0, 0)
    ranks = torch.round((source.inputs + 1) * 4).long()
    follows = {label: set() for label in range(4)}
    for row, label in zip(ranks.tolist(), source.targets.tolist(), strict=True):
        follows[label] |= set(zip(row, [*row[1:], row[0]], strict=True))
    assert all(len(pairs) == 9 for pairs in follows.values())
    assert len({frozenset(pairs) for pairs in follows.values()}) == 4


@pytest.mark.parametrize(("classes", "steps"), [(2, 4), (6, 4), (6, 50)])
def test_as_many_classes_as_there_are_orders(classes, steps):
    source = sequences(60, classes, steps, 0.0, 3)
    assert source.inputs.shape == (60, steps)
    assert set(source.targets.tolist()) == set(range(classes))
