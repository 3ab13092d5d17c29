"""Operations drawn for each image: how often, to which side, and that each does what its name says."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from descent.augmentation.randaugment import OPERATIONS, STRONGEST, Drawn
from reference import warps

ROWS, HEIGHT, WIDTH = 3000, 10, 20


@pytest.fixture
def drawn():
    torch.manual_seed(0)
    return Drawn(2, torch.zeros(ROWS, 3, HEIGHT, WIDTH, dtype=torch.float64), 0.5)


def by_hand(name, signed):
    """The operation as a matrix."""
    amount = signed * STRONGEST[name]
    slanted = np.eye(3)
    slanted[(0, 1) if name == "shear_rows" else (1, 0)] = amount
    return {
        "rotation": lambda: warps.rotation(signed * math.degrees(STRONGEST["rotation"])),
        "shear_rows": lambda: slanted,
        "shear_columns": lambda: slanted,
        "shift_rows": lambda: warps.shift(amount * HEIGHT, 0),
        "shift_columns": lambda: warps.shift(0, amount * WIDTH),
    }.get(name, lambda: np.eye(3))()


def test_operations_and_sides_are_equally_likely_and_independent(drawn):
    pairs = np.ravel_multi_index(tuple(drawn.which.numpy()), (len(OPERATIONS),) * 2)
    assert stats.chisquare(np.bincount(pairs, minlength=len(OPERATIONS) ** 2)).pvalue > 1e-3
    assert set(drawn.signed.flatten().tolist()) == {-0.5, 0.5}
    assert stats.binomtest(int((drawn.signed > 0).sum()), 2 * ROWS).pvalue > 1e-3


def test_the_moves_are_made_in_the_order_drawn(drawn):
    maps = drawn.geometry(HEIGHT, WIDTH)
    for image in range(300):
        first, second = (
            by_hand(OPERATIONS[which], float(signed))
            for which, signed in zip(drawn.which[:, image], drawn.signed[:, image], strict=True)
        )
        expected = first @ second  # what the second makes is looked up in what the first has made
        np.testing.assert_allclose(maps.linear[image], expected[:2, :2], atol=1e-9)
        np.testing.assert_allclose(maps.offset[image], expected[:2, 2], atol=1e-9)


def test_factors_are_one_but_where_the_colour_was_drawn(drawn):
    factors = list(drawn.colours())
    assert [name for name, _ in factors] == ["brightness", "contrast", "saturation"] * 2
    for number, (name, factor) in enumerate(factors):
        which, signed = drawn.which[number // 3], drawn.signed[number // 3]
        expected = np.where(which == OPERATIONS.index(name), 1 + 0.9 * signed, 1.0)
        np.testing.assert_allclose(factor, expected)
