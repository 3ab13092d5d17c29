"""What is drawn for each image: read off images that hold their own coordinates, so that a warp shows its map."""

import numpy as np
import pytest
import torch
from scipy import stats

from reference import warps
from reference.augmented import CONF, drawn, knobs, made

CHOICES = sorted(file.stem for file in (CONF / "augmentation").glob("*.yaml") if file.stem != "none")
ROWS, HEIGHT, WIDTH = 1500, 24, 32
KEPT = slice(9, 15), slice(12, 20)  # pixels that no map below leads out of the image


def coordinates(rows=ROWS):
    """Two channels: rows and columns, counted from the centre."""
    down, across = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2 for size in (HEIGHT, WIDTH))
    return torch.stack(torch.meshgrid(down, across, indexing="ij")).expand(rows, -1, -1, -1)


@pytest.fixture(scope="module")
def maps():
    """Choice of knobs → the maps that were drawn: [n, 2, 2] and [n, 2], fitted to what came out."""

    def fitted(**changes):
        images = coordinates()
        out = drawn(made(images, **changes), images)[:, :, KEPT[0], KEPT[1]].flatten(2).numpy()
        points = images[0, :, KEPT[0], KEPT[1]].flatten(1).numpy()
        design = np.vstack([points, np.ones(points.shape[1])])
        solved = out @ np.linalg.pinv(design)
        np.testing.assert_allclose(solved @ design, out, atol=1e-9)  # the fit is exact
        return solved[:, :, :2], solved[:, :, 2]

    return fitted


def uniform(values, low, high):
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_rotations_are_uniform_and_nothing_else(maps):
    linear, offset = maps(rotation=15.0)
    angles = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert uniform(angles, -15, 15)
    np.testing.assert_allclose(np.linalg.det(linear), 1)
    np.testing.assert_allclose(offset, 0, atol=1e-9)


def test_shifts_are_uniform_shares_of_each_axis(maps):
    linear, offset = maps(shift=0.1)
    assert uniform(offset[:, 0] / HEIGHT, -0.1, 0.1) and uniform(offset[:, 1] / WIDTH, -0.1, 0.1)
    assert abs(stats.spearmanr(*offset.T).statistic) < 0.1
    np.testing.assert_allclose(linear, np.broadcast_to(np.eye(2), linear.shape), atol=1e-9)


def test_shears_are_uniform_in_degrees(maps):
    linear, _ = maps(shear=20.0)
    assert uniform(np.degrees(np.arcsin(-linear[:, 0, 1])), -20, 20)
    np.testing.assert_allclose(linear[:, :, 0], np.tile([1.0, 0.0], (ROWS, 1)), atol=1e-9)


def test_zooms_are_uniform_for_each_axis_on_its_own(maps):
    linear, _ = maps(zoom=[0.9, 1.2])
    rows, columns = linear[:, 0, 0], linear[:, 1, 1]
    assert uniform(rows, 0.9, 1.2) and uniform(columns, 0.9, 1.2)
    assert abs(stats.spearmanr(rows, columns).statistic) < 0.1


def test_the_article_is_rotate_shift_shear_zoom_and_flip(maps):
    linear, offset = maps(**knobs("article"))
    mirrored = linear[:, 1, 1] < 0
    assert stats.binomtest(int(mirrored.sum()), ROWS, 0.5).pvalue > 1e-3
    linear[mirrored, :, 1] *= -1
    angles, tall = np.arctan2(linear[:, 1, 0], linear[:, 0, 0]), np.hypot(linear[:, 0, 0], linear[:, 1, 0])
    wide = np.hypot(linear[:, 0, 1], linear[:, 1, 1])
    slants = np.degrees(np.arctan2(-linear[:, 0, 1], linear[:, 1, 1]) - angles)
    assert uniform(np.degrees(angles), -15, 15) and uniform(slants, -0.1, 0.1)
    assert uniform(tall, 0.9, 1.2) and uniform(wide, 0.9, 1.2)
    unturned = np.einsum("nji,nj->ni", np.array([warps.rotation(one)[:2, :2] for one in np.degrees(angles)]), offset)
    assert uniform(unturned[:, 0] / HEIGHT, -0.1, 0.1) and uniform(unturned[:, 1] / WIDTH, -0.1, 0.1)


@pytest.mark.parametrize(("flip", "vertical"), [(0.5, 0.0), (0.0, 0.2), (0.3, 0.8), (1.0, 1.0)])
def test_mirror_images_come_with_their_probability_and_change_no_bit(flip, vertical):
    images = coordinates()
    out = drawn(made(images, flip=flip, vertical_flip=vertical), images)
    across, down = out[:, 1, 0, 0] > 0, out[:, 0, 0, 0] > 0
    for seen, chance in ((across, flip), (down, vertical)):
        hits = int(seen.sum())
        assert stats.binomtest(hits, ROWS, chance).pvalue > 1e-3 if 0 < chance < 1 else hits == chance * ROWS
    for image, *axes in zip(out, down.tolist(), across.tolist(), strict=True):
        assert torch.equal(image, images[0].flip([axis + 1 for axis in (0, 1) if axes[axis]]))


def test_crops_move_by_whole_pixels_all_equally_often():
    images = coordinates()
    out = drawn(made(images, crop=0.125), images)[:, :, 12, 16]
    for axis, most in ((0, 3), (1, 4)):
        moves, counts = np.unique(out[:, axis].numpy() - 0.5, return_counts=True)
        np.testing.assert_array_equal(moves, np.arange(-most, most + 1))
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colours_are_uniform_factors(name):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(ROWS, 3, 4, 5, dtype=torch.float64, generator=generator) * 0.2 + 0.4
    images[0, :, 0, 0], images[0, :, 0, 1] = 0.0, 1.0  # what pixels span
    out = drawn(made(images, **{name: 0.3}), images)
    whole, grey = images[1:], torch.einsum("c,nchw->nhw", torch.tensor([0.2989, 0.587, 0.114]).double(), images[1:])
    other = {"brightness": 0 * whole, "contrast": grey.mean((1, 2))[:, None, None, None] + 0 * whole,
             "saturation": grey[:, None] + 0 * whole}[name]  # fmt: skip
    factors = ((out[1:] - other) / (whole - other)).flatten(1).median(1).values
    np.testing.assert_allclose(out[1:], other + factors[:, None, None, None] * (whole - other), atol=1e-5)
    assert uniform(factors, 0.7, 1.3)


@pytest.mark.parametrize("scaling", ["standard", "unit", "none"])
def test_colours_are_of_pixels_whatever_the_scaling(scaling):
    images = torch.randint(0, 256, (20, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    augmentation = made(images, "colour", scaling=scaling, erasing=0.5, erasing_fill="black")
    inputs = augmentation._pixels._scaling(images)
    bytes_of = augmentation._pixels.of(drawn(augmentation, inputs)) * 255
    reference = drawn(made(images, "colour", erasing=0.5, erasing_fill="black"), images.float())
    np.testing.assert_allclose(bytes_of, reference, atol=1e-2)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 9, 6), (4, 1, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_choice_on_every_kind_of_image(choice, size, dtype):
    images = torch.rand(12, *size, generator=torch.Generator().manual_seed(1)).to(dtype)
    before, augmentation = images.clone(), made(images, choice)
    out = drawn(augmentation, images)
    assert out.shape == images.shape and out.dtype == dtype and torch.isfinite(out).all()
    assert torch.equal(images, before)
    assert float(out.min()) >= float(images.min()) - 1e-5 and float(out.max()) <= float(images.max()) + 1e-5
    np.testing.assert_allclose(out.double(), drawn(augmentation, images.double()), atol=2e-4)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_draw_belongs_to_its_place_and_its_image(choice):
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).expand(40, -1, -1, -1)
    augmentation = made(images, choice)
    once, later, again = (drawn(augmentation, images, place) for place in (3, 4, 3))
    assert torch.equal(once, again) and not torch.equal(once, later)
    assert len({image.numpy().tobytes() for image in once}) > {"flip": 1, "crop": 8}.get(choice, 10)


def test_nothing_is_drawn_where_all_is_switched_off():
    images = torch.rand(5, 1, 8, 8)
    state = torch.random.get_rng_state()
    out, targets = made(images).batch_in((images, torch.arange(5)))
    assert out is images and torch.equal(targets, torch.arange(5))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_it_acts_before_samples_are_mixed():
    from descent.regularization.cutmix import Cutmix
    from descent.regularization.input_noise import InputNoise
    from descent.regularization.method import moments
    from descent.regularization.mixup import Mixup

    ours = made(torch.rand(4, 1, 8, 8), "light")
    order = moments([InputNoise(0.1), Cutmix(1.0, 1.0), Mixup(1.0, 1.0), ours], "batch_in")
    assert [type(moment.__self__).__name__ for moment in order] == ["Augmentation", "Mixup", "Cutmix", "InputNoise"]
