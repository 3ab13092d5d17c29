"""Colours against NumPy's formulas and torchvision's."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from descent.augmentation.colour import CHANGES, Pixels
from descent.data.scaling import Scaling

FACTORS = [0.0, 0.4, 1.0, 1.7]


def pictures(channels):
    generator = torch.Generator().manual_seed(channels)
    return torch.rand(len(FACTORS), channels, 6, 9, dtype=torch.float64, generator=generator)


def grey(image):
    return np.einsum("c,chw->hw", [0.2989, 0.587, 0.114], image) if len(image) == 3 else image.mean(0)


def blended(image, factor, name):
    other = {"brightness": 0.0, "contrast": grey(image).mean(), "saturation": grey(image)}[name]
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_formula(name, channels):
    images = pictures(channels)
    result = CHANGES[name](images, torch.tensor(FACTORS, dtype=torch.float64))
    for image, factor, ours in zip(images.numpy(), FACTORS, result, strict=True):
        expected = image if channels == 1 and name == "saturation" else blended(image, factor, name)
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_torchvision_does_the_same(name, channels):
    images = pictures(channels)
    result = CHANGES[name](images, torch.tensor(FACTORS, dtype=torch.float64))
    change = getattr(functional, f"adjust_{name}")
    for image, factor, ours in zip(images, FACTORS, result, strict=True):
        np.testing.assert_allclose(ours, change(image, factor), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_what_the_training_images_span(dtype):
    images = torch.stack([torch.arange(4.0, 20.0).view(4, 4), 3 * torch.arange(4.0, 20.0).view(4, 4)])[None].to(dtype)
    scaling = Scaling(images)
    pixels = Pixels(scaling, images)
    inside = pixels.of(scaling(images))
    np.testing.assert_allclose(inside, (images.double() - 4) / (57 - 4), atol=1e-6)
    np.testing.assert_allclose(pixels.scaled(inside), scaling(images), atol=1e-6)
    np.testing.assert_allclose(pixels.black, scaling(torch.full_like(images, 4))[0, :, :1, :1], atol=1e-6)


def test_images_of_one_value_have_pixels_too():
    images = torch.full((2, 1, 3, 3), 7.0)
    assert torch.equal(Pixels(Scaling(images), images).of(Scaling(images)(images)), torch.zeros(2, 1, 3, 3))
