"""Data made by formula, of any shape and size."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from descent.data.split import Data, split_data


def synthetic(
    task: str,
    kind: str,
    shape: Sequence[int],
    samples: int,
    classes: int,
    noise: float,
    seed: int,
    val_fraction: float,
    test_fraction: float,
    split_seed: int,
) -> Data:
    """Noisy samples around random class centres, or noisy values of a random linear map."""
    random = torch.Generator().manual_seed(seed)
    make = _clusters if task == "classification" else _linear_map
    inputs, targets = make(tuple(shape), samples, classes, noise, random)
    return split_data(
        "synthetic",
        inputs,
        targets,
        task=task,
        outputs=classes,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
    )


def _clusters(
    shape: tuple[int, ...], samples: int, classes: int, noise: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    centres = torch.randn(classes, *shape, generator=random)
    targets = torch.arange(samples) % classes
    return centres[targets] + noise * torch.randn(samples, *shape, generator=random), targets


def _linear_map(
    shape: tuple[int, ...], samples: int, classes: int, noise: float, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(samples, *shape, generator=random)
    weights = torch.randn(math.prod(shape), classes, generator=random) / math.sqrt(math.prod(shape))
    return inputs, inputs.flatten(1) @ weights + noise * torch.randn(samples, classes, generator=random)
