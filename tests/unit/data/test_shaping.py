"""Sizes, channels and columns, against a filter written in NumPy, torchvision's, and by hand."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as torchvisions

from descent.data.knobs import knobs_of
from descent.data.shaping import resized, shaped, with_channels
from descent.data.source import Source
from descent.errors import UsageError
from unit.data.test_preparation import DATASET

SIZES = [(8, 8, 32, 32), (32, 32, 8, 8), (8, 8, 5, 7), (28, 28, 32, 32), (9, 4, 3, 11), (8, 8, 8, 8)]


def pictures(channels=1, height=8, width=8, count=6):
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=random)


def weights(size, new):
    """Row i: how much each old pixel has in new pixel i; a triangle as wide as the coarser of both grids."""
    scale = size / new
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(size) + 0.5 - centres[:, None]) / max(scale, 1.0)
    triangle = np.clip(1 - distance, 0, None)
    return triangle / triangle.sum(1, keepdims=True)


def under(source, **changes):
    return shaped(source, knobs_of({**DATASET, **changes}))


def images_of(images, **more):
    return Source("x", "classification", images, torch.arange(len(images)) % 2, 2, **more)


def table(columns=("a", "b", "c"), **more):
    rows = torch.arange(12.0).view(4, 3)
    return Source("x", "classification", rows, torch.arange(4) % 2, 2, columns=columns, **more)


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), [*SIZES, (7, 5, 1, 1)])
def test_resizing_is_the_antialiased_triangle_filter(height, width, new_height, new_width):
    images = pictures(3, height, width).float()
    expected = weights(height, new_height) @ images.double().numpy() @ weights(width, new_width).T
    np.testing.assert_allclose(resized(images, [new_height, new_width]), expected, atol=1e-3)


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), SIZES)
def test_bytes_stay_bytes_as_torchvision_makes_them(height, width, new_height, new_width):
    images = pictures(3, height, width)
    ours, theirs = resized(images, [new_height, new_width]), torchvisions.resize(images, [new_height, new_width])
    assert ours.dtype == torch.uint8 and ours.shape == theirs.shape
    assert (ours.int() - theirs.int()).abs().max() <= 1


def test_more_images_than_a_block():
    images = torch.arange(5000).remainder(256).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2)
    assert torch.equal(resized(images, [1, 1]).flatten(), images[:, 0, 0, 0])


def test_luma_is_torchvisions():
    images = pictures(3)
    ours, theirs = with_channels(images, 1), torchvisions.rgb_to_grayscale(images)
    assert ours.dtype == torch.uint8 and (ours.int() - theirs.int()).abs().max() <= 1
    exact = np.tensordot([0.299, 0.587, 0.114], images.double().numpy(), axes=([0], [1]))
    np.testing.assert_allclose(with_channels(images.float(), 1)[:, 0], exact, atol=1e-3)


def test_grey_is_repeated_and_comes_back():
    grey = pictures(1)
    colours = with_channels(grey, 3)
    assert all(torch.equal(colours[:, [channel]], grey) for channel in range(3))
    assert torch.equal(with_channels(colours, 1), grey)
    assert with_channels(grey, 1) is grey and with_channels(colours, 3) is colours


@pytest.mark.parametrize("channels", [1, 3])
def test_other_channels_have_no_colour(channels):
    with pytest.raises(UsageError, match=f"^dataset.channels: got {channels}, allowed null for images of 2 channels"):
        with_channels(pictures(2), channels)


@pytest.mark.parametrize(("size", "shape"), [(16, (3, 16, 16)), ([4, 6], (3, 4, 6))])
def test_all_parts_of_a_dataset_are_changed(size, shape):
    own_test = (pictures(1, count=2), torch.zeros(2).long())
    source = under(images_of(pictures(1), test=own_test), resize=size, channels=3)
    assert source.inputs.shape[1:] == source.test[0].shape[1:] == shape
    assert source.inputs.dtype == torch.uint8


@pytest.mark.parametrize(
    ("features", "numbers"),
    [(["c", "a"], [2, 0]), ([1], [1]), ([2, "a"], [2, 0]), (["a", "b", "c"], [0, 1, 2])],
)
def test_columns_by_name_or_number_in_that_order(features, numbers):
    source = under(table(), features=features)
    assert torch.equal(source.inputs, table().inputs[:, numbers])
    assert source.columns == tuple("abc"[number] for number in numbers)


def test_a_name_goes_before_a_number():
    assert torch.equal(under(table(columns=("2", "1", "0")), features=[0]).inputs, table().inputs[:, [2]])


def test_columns_of_a_table_without_names():
    assert torch.equal(under(table(columns=()), features=[2]).inputs, table().inputs[:, [2]])


def test_columns_of_what_is_encoded_later_are_chosen_before():
    def encode(rows, columns):
        return columns

    source = under(table(encode=encode), features=["c", 0])
    assert source.columns == source.encode(torch.arange(2), source.columns) == ("c", "a")
    assert torch.equal(source.inputs, table().inputs)  # which stand for them


@pytest.mark.parametrize(
    ("features", "line"),
    [
        (["d"], "dataset.features: got d, allowed 0 to 2 or a b c"),
        ([3], "dataset.features: got 3, allowed 0 to 2 or a b c"),
        (["a", 0], "dataset.features: got [a,0], allowed each column once"),
    ],
)
def test_columns_that_there_are_not(features, line):
    with pytest.raises(UsageError) as refusal:
        under(table(), features=features)
    assert str(refusal.value).startswith(line)


def test_the_near_miss_of_a_column():
    with pytest.raises(UsageError, match=r"did you mean petal_width\?"):
        under(table(columns=("petal_width", "b", "c")), features=["petal_widht"])
