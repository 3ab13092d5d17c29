"""Windows and mirror images against NumPy's padding and slicing: not a bit may change."""

import numpy as np
import pytest
import torch

from descent.augmentation.placing import mirrored, windows

MODES = {"edge": "edge", "reflect": "reflect", "black": "constant"}


def numbered(channels, height, width, rows):
    return torch.arange(rows * channels * height * width, dtype=torch.float32).view(rows, channels, height, width)


@pytest.mark.parametrize("padding", MODES)
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 5, 9), (2, 1, 4)])
def test_a_window_is_cut_from_the_padded_image(padding, size):
    moves = torch.tensor([[0, 0], [1, 0], [0, -2], [-3, 3], [3, 1], [-1, -3]])
    images, black = numbered(*size, rows=len(moves)), torch.full((size[0], 1, 1), 0.0)
    result = windows(images, moves, padding, black if padding == "black" else None)
    for image, (down, across), ours in zip(images.numpy(), moves.tolist(), result, strict=True):
        padded = np.pad(image, [(0, 0), (3, 3), (3, 3)], mode=MODES[padding])
        expected = padded[:, 3 + down : 3 + down + size[1], 3 + across : 3 + across + size[2]]
        np.testing.assert_array_equal(ours, expected)


def test_black_is_that_of_each_channel():
    black = torch.tensor([-1.0, -2.0]).view(2, 1, 1)
    result = windows(torch.ones(1, 2, 3, 3), torch.tensor([[1, 0]]), "black", black)
    np.testing.assert_array_equal(result[0, :, 2], [[-1] * 3, [-2] * 3])
    np.testing.assert_array_equal(result[0, :, :2], np.ones((2, 2, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mirror_images(dtype):
    images = numbered(3, 4, 5, rows=4).to(dtype)
    columns, rows = (torch.tensor(signs, dtype=dtype) for signs in ([1, -1, 1, -1], [1, 1, -1, -1]))
    expected = [images[0], images[1].flip(2), images[2].flip(1), images[3].flip(1, 2)]
    assert torch.equal(mirrored(images, columns, rows), torch.stack(expected))
