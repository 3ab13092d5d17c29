"""Handwritten digits, 8x8 grey, from scikit-learn."""

import torch

from descent.data.split import Data, split_data


def digits(task: str, kind: str, samples: int, val_fraction: float, test_fraction: float, split_seed: int) -> Data:
    """1,797 images as uint8 of 0 to 16, shape 1x8x8."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    assert len(labels) == samples and kind == "image", "conf/dataset/digits.yaml states what scikit-learn ships"
    return split_data(
        "digits",
        images,
        labels,
        task=task,
        outputs=10,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
    )
