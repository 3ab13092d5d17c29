"""Maps and warps against a loop over pixels in NumPy, and against SciPy's."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from descent.augmentation.geometry import Affine, affine, turned, warp
from reference import warps

SIZES = [(1, 8, 8), (3, 7, 5), (2, 4, 9), (1, 1, 6), (4, 3, 1)]
PARAMETERS = [  # degrees, rows and columns of shift, degrees, zoom of rows and of columns
    (0, 0, 0, 0, 1, 1),
    (15, 0, 0, 0, 1, 1),
    (0, 1.3, -0.4, 0, 1, 1),
    (0, 0, 0, 20, 1, 1),
    (0, 0, 0, 0, 0.9, 1.2),
    (12, 0.7, -1.1, 8, 0.9, 1.15),
    (-170, -3, 2.5, -40, 1.6, 0.5),
]


def random_images(channels, height, width, rows=1):
    generator = torch.Generator().manual_seed(height * 10 + width)
    return torch.rand(rows, channels, height, width, dtype=torch.float64, generator=generator)


def as_maps(parameters, dtype=torch.float64):
    table = torch.tensor(parameters, dtype=dtype)
    radians = torch.deg2rad(table)
    return affine(radians[:, 0], table[:, 1:3], radians[:, 3], table[:, 4:])


def product(degrees, rows, columns, slant, zoom_rows, zoom_columns):
    """Keras's order."""
    moved = warps.rotation(degrees) @ warps.shift(rows, columns)
    return moved @ warps.shear(slant) @ warps.zoom(zoom_rows, zoom_columns)


def test_the_closed_form_is_the_product_in_keras_order():
    maps = as_maps(PARAMETERS)
    for number, parameters in enumerate(PARAMETERS):
        expected = product(*parameters)
        np.testing.assert_allclose(maps.linear[number], expected[:2, :2], atol=1e-12)
        np.testing.assert_allclose(maps.offset[number], expected[:2, 2], atol=1e-12)


def test_another_order_is_another_map():
    degrees, rows, columns, slant, *zooms = PARAMETERS[5]
    parts = [warps.rotation(degrees), warps.shift(rows, columns), warps.shear(slant), warps.zoom(*zooms)]
    ours = product(*PARAMETERS[5])
    for order in ([1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2], [3, 2, 1, 0]):
        other = np.linalg.multi_dot([parts[place] for place in order])
        assert np.abs(other - ours).max() > 1e-3


@pytest.mark.parametrize("size", SIZES)
def test_a_batch_is_warped_as_pixel_by_pixel(size):
    images = random_images(*size, rows=len(PARAMETERS))
    result = warp(images, as_maps(PARAMETERS))
    for image, parameters, ours in zip(images.numpy(), PARAMETERS, result, strict=True):
        np.testing.assert_allclose(ours, warps.warped(image, product(*parameters)), atol=1e-10)


@pytest.mark.parametrize("size", [(1, 8, 8), (3, 7, 5), (2, 4, 9)])
def test_scipy_warps_the_same(size):
    images = random_images(*size, rows=len(PARAMETERS))
    result = warp(images, as_maps(PARAMETERS))
    for image, parameters, ours in zip(images.numpy(), PARAMETERS, result, strict=True):
        matrix = warps.centred(product(*parameters), *size[1:])
        expected = [ndimage.affine_transform(channel, matrix, order=1, mode="nearest") for channel in image]
        np.testing.assert_allclose(ours, expected, atol=1e-10)


def test_single_precision_is_as_good_as_it_can_be():
    images = random_images(3, 32, 32, rows=len(PARAMETERS))
    exact, single = warp(images, as_maps(PARAMETERS)), warp(images.float(), as_maps(PARAMETERS, torch.float32))
    np.testing.assert_allclose(single, exact, atol=2e-5)


def test_autocast_rounds_no_coordinates():
    images = random_images(3, 32, 32, rows=len(PARAMETERS)).float()
    maps = as_maps(PARAMETERS, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = warp(images, turned(maps.offset[:, 0]).after(maps))
    np.testing.assert_allclose(inside, warp(images, turned(maps.offset[:, 0]).after(maps)), atol=1e-6)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
@pytest.mark.parametrize("side", [5, 8])
def test_quarter_turns_are_clockwise(quarters, side):
    images = random_images(3, side, side)
    result = warp(images, turned(torch.tensor([quarters * math.pi / 2], dtype=torch.float64)))
    np.testing.assert_allclose(result, np.rot90(images, -quarters, (2, 3)), atol=1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (-2, 3), (4, -1)])
def test_a_shift_by_whole_pixels_is_exact_and_reads_from_there(rows, columns):
    images = random_images(2, 6, 8)
    result = warp(images, as_maps([(0, rows, columns, 0, 1, 1)]))
    padded = np.pad(images[0], [(0, 0), (4, 4), (4, 4)], mode="edge")
    np.testing.assert_allclose(result[0], padded[:, 4 + rows : 10 + rows, 4 + columns : 12 + columns], atol=1e-12)


@pytest.mark.parametrize(("factors", "height", "width"), [((2, 1), 4, 8), ((1, 2), 8, 4), ((0.5, 0.5), 16, 16)])
def test_a_zoom_above_one_shrinks_what_is_seen(factors, height, width):
    images = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    images[..., 12:20, 12:20] = 1
    result = warp(images, as_maps([(0, 0, 0, 0, *factors)]))[0, 0]
    assert float(result.sum()) == pytest.approx(height * width, rel=0.02)
    assert float(result.amax(1).sum()) == pytest.approx(height, abs=1)
    assert float(result.amax(0).sum()) == pytest.approx(width, abs=1)


def test_one_map_after_another_leads_through_both():
    first, second = as_maps(PARAMETERS), as_maps(PARAMETERS[::-1])
    both, points = second.after(first), np.random.default_rng(0).normal(size=(20, 2))
    for number in range(len(PARAMETERS)):
        between = points @ second.linear[number].numpy().T + second.offset[number].numpy()
        expected = between @ first.linear[number].numpy().T + first.offset[number].numpy()
        result = points @ both.linear[number].numpy().T + both.offset[number].numpy()
        np.testing.assert_allclose(result, expected, atol=1e-12)


@pytest.mark.parametrize(("columns", "rows", "axes"), [(1, 1, []), (-1, 1, [3]), (1, -1, [2]), (-1, -1, [2, 3])])
def test_a_mirrored_map_mirrors_what_the_map_makes(columns, rows, axes):
    images = random_images(3, 6, 9)
    for parameters in PARAMETERS:
        maps = as_maps([parameters])
        signs = (torch.tensor([float(sign)], dtype=torch.float64) for sign in (columns, rows))
        np.testing.assert_allclose(warp(images, maps.mirrored(*signs)), warp(images, maps).flip(axes), atol=1e-10)


def test_nothing_moves_under_the_map_that_moves_nothing():
    images = random_images(3, 7, 5).float()
    one = Affine(torch.eye(2)[None], torch.zeros(1, 2))
    np.testing.assert_allclose(warp(images, one), images, atol=1e-6)
