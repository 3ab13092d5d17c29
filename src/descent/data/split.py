"""Data in three disjoint parts, and how a part is chosen."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from descent.errors import DataError

BLOCK = 4096  # rows hashed at a time


@dataclass(frozen=True)
class Split:
    """Samples and their targets, one row each. Streamed through a DataLoader, they may be memory-mapped."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Data:
    """A dataset ready to train on. `outputs` is the number of classes, or of targets for regression."""

    name: str
    task: str
    outputs: int
    train: Split
    val: Split | None
    test: Split | None
    digest: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train.inputs.shape[1:])


def split_data(
    name: str,
    inputs: Tensor,
    targets: Tensor,
    *,
    task: str,
    outputs: int,
    val_fraction: float,
    test_fraction: float,
    split_seed: int,
) -> Data:
    """Cut into test, validation and training, a function of the split's seed alone; stratified by class."""
    strata = targets.numpy() if task == "classification" else None
    order = torch.from_numpy(split_order(len(targets), split_seed, strata))
    tests, vals = round(len(targets) * test_fraction), round(len(targets) * val_fraction)
    if tests + vals >= len(targets):
        raise DataError(
            f"dataset {name}: {len(targets)} samples leave none to train on after {tests} test and {vals} validation"
        )

    def part(rows: Tensor) -> Split | None:
        return Split(inputs[rows], targets[rows]) if len(rows) else None

    train = part(order[tests + vals :].sort().values)
    assert train is not None
    val, test = part(order[tests : tests + vals].sort().values), part(order[:tests].sort().values)
    return Data(name, task, outputs, train, val, test, content_digest(inputs, targets))


def split_order(count: int, seed: int, strata: np.ndarray | None = None) -> np.ndarray:
    """An order of the samples of which every prefix has each class in its share, give or take a sample or two."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(count)
    if strata is None:
        return shuffled
    position = np.empty(count)
    for label in np.unique(strata):
        members = shuffled[strata[shuffled] == label]
        position[members] = (np.arange(len(members)) + random.uniform()) / len(members)
    return np.argsort(position, kind="stable")


def content_digest(inputs: Tensor, targets: Tensor) -> str:
    """SHA-256 of the samples in their original order, with types and shapes."""
    digest = hashlib.sha256()
    for tensor in (inputs, targets):
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        for block in torch.split(tensor, BLOCK):
            digest.update(block.contiguous().numpy().tobytes())
    return digest.hexdigest()
