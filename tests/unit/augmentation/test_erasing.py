"""Erased rectangles: how many, how large, of which shape, where, and what they become."""

import numpy as np
import pytest
import torch
from scipy import stats

from descent.augmentation.erasing import fillings, rectangles

ROWS, SIDE = 400, 300


def drawn(height, width, chance, area, aspect, rows=ROWS, dtype=torch.float32):
    torch.manual_seed(0)
    return rectangles(height, width, chance, area, aspect, torch.rand(5, rows).to(dtype)).numpy()


def sides(gone):
    return gone.any(2).sum(1), gone.any(1).sum(1)


def corners(gone):
    return gone.any(2).argmax(1), gone.any(1).argmax(1)


@pytest.fixture(scope="module")
def large():
    """So large that rounding does not show."""
    return drawn(SIDE, SIDE, 1.0, (0.05, 0.3), (0.5, 2.0))


def test_it_is_one_rectangle(large):
    tall, wide = sides(large)
    np.testing.assert_array_equal(large.sum((1, 2)), tall * wide)


def test_its_area_is_uniform(large):
    assert stats.kstest(large.mean((1, 2)), stats.uniform(0.05, 0.25).cdf).pvalue > 1e-3


def test_its_shape_is_log_uniform(large):
    tall, wide = sides(large)
    law = stats.uniform(np.log(0.5), np.log(4)).cdf
    assert stats.kstest(np.log(tall / wide), law).pvalue > 1e-3


def test_all_its_places_are_equally_likely(large):
    for first, length in zip(corners(large), sides(large), strict=True):
        assert stats.kstest((first + 0.5) / (SIDE - length + 1), stats.uniform.cdf).pvalue > 1e-3


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_a_share_of_the_images(chance):
    hit = int(drawn(8, 8, chance, (0.1, 0.2), (0.5, 2.0), rows=2000).any((1, 2)).sum())
    assert stats.binomtest(hit, 2000, chance).pvalue > 1e-3 if 0 < chance < 1 else hit == 2000 * chance


@pytest.mark.parametrize(("height", "width"), [(60, 300), (300, 60), (8, 8), (1, 5)])
@pytest.mark.parametrize("area", [(0.02, 0.33), (0.9, 1.0), (1.0, 1.0)])
def test_it_fits_and_keeps_its_area(height, width, area):
    gone = drawn(height, width, 1.0, area, (0.3, 3.3))
    assert gone.any((1, 2)).all()
    rounding = 1 / height + 1 / width
    assert area[0] * (1 - rounding) - rounding <= gone.mean((1, 2)).min()
    assert gone.mean((1, 2)).max() <= min(1.0, area[1] * (1 + rounding) + rounding)
    assert area != (1.0, 1.0) or gone.all()


def test_the_fill_is_the_images_own():
    torch.manual_seed(0)
    images = torch.randn(3, 2, 40, 50) * torch.tensor([0.5, 1.0, 3.0])[:, None, None, None] + 5
    mean, noise, black = (fillings(images, *fill) for fill in (("mean", None), ("noise", None), ("black", images[0])))
    np.testing.assert_allclose(mean[..., 0, 0], images.double().mean((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(noise.std((2, 3)), images.std((2, 3)), rtol=0.1)
    assert stats.kstest(((noise - mean) / images.std((2, 3), keepdim=True)).flatten().numpy(), "norm").pvalue > 1e-3
    assert black is images[0] or torch.equal(black, images[0])
