"""Handwritten digits, 8x8 grey, from scikit-learn."""

import torch

from descent.data.source import Source


def digits() -> Source:
    """1,797 images as uint8 of 0 to 16, shape 1x8x8."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    return Source("digits", "classification", images, labels, 10, classes=tuple("0123456789"))
