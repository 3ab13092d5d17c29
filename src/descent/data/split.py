"""Data in three disjoint parts, and how a part is chosen."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descent.data.knobs import sizes
from descent.data.rooms import picked
from descent.data.source import Source
from descent.data.tokens import FIRST
from descent.errors import DataError
from descent.rules import refuse

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
    classes: tuple[str, ...] = ()  # their names, where the dataset knows them
    columns: tuple[str, ...] = ()  # names of a table's features
    encoding: dict[str, Any] | None = None  # what another table is encoded by, in plain values

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.train.inputs.shape[1:])

    @property
    def described(self) -> dict[str, Any]:
        """What a model is told of its inputs: their shape, and of words how many numbers stand for them."""
        words = (self.encoding or {}).get("words")
        return {"input_shape": self.input_shape} | ({"tokens": FIRST + len(words)} if words else {})


def split(
    source: Source,
    *,
    val_fraction: float,
    test_fraction: float,
    split_seed: int,
    val_split: str = "stratified",
    fraction: float = 1.0,
    folds: int = 1,
    fold: int = 0,
) -> Data:
    """Cut into test, validation and training, a function of the split's seed alone; stratified by class.

    With folds the test part is held out as without; of the rest, part `fold` of `folds` validates. A fraction leaves
    out training samples only, and a smaller one is a part of a larger one.
    """
    strata = source.targets.numpy() if source.task == "classification" else None
    count = len(source.targets)
    own_test, own_val = (Split(*own) if own else None for own in (source.test, source.val))
    if own_val:
        if folds > 1:
            raise refuse("folds", folds, "1", f"dataset {source.name} has a validation part of its own")
        own_val, val_fraction = own_val if val_fraction > 0 else None, 0
    wanted = sizes(count, val_fraction, test_fraction, fraction, folds, fold, len(own_test) if own_test else None)
    rest_size = count - (0 if own_test else wanted.test)
    if folds > rest_size:
        raise refuse("folds", folds, f"1 to {rest_size} (the samples that are not held out for the test)")
    if wanted.train < 1:
        held_out = f"{wanted.test} test and {wanted.val} validation"
        raise DataError(f"dataset {source.name}: {count} samples leave none to train on after {held_out}")
    order = split_order(count, split_seed, strata)
    tests, rest = np.split(order, [0 if own_test else wanted.test])
    val, train = _held_out(rest, wanted.val, val_split, strata, folds, fold)
    if fraction < 1:
        kept = split_order(len(train), split_seed, None if strata is None else strata[train])[: wanted.train]
        train = np.sort(train[kept])
    inputs, columns, encoding = source.inputs, source.columns, None
    if source.encode is not None:
        inputs, columns, encoding = source.encode(torch.from_numpy(train), columns)

    def part(rows: np.ndarray) -> Split | None:
        chosen = torch.from_numpy(np.sort(rows))
        if not len(rows):
            return None
        return Split(picked(inputs, chosen, source.scratch), source.targets[chosen])

    training = part(train)
    assert training is not None
    return Data(
        source.name,
        source.task,
        source.outputs,
        training,
        own_val or part(val),
        own_test or part(tests),
        content_digest(source.inputs, source.targets, *(source.test or ()), *(source.val or ())),
        source.classes,
        columns,
        encoding,
    )


def _held_out(
    rest: np.ndarray, vals: int, val_split: str, strata: np.ndarray | None, folds: int, fold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Validation and training rows, the latter in stored order."""
    if val_split == "last":
        if folds > 1:
            raise refuse("dataset.val_split", "last", "stratified with folds", "the last samples are one part only")
        train, val = np.split(np.sort(rest), [len(rest) - vals])
        return val, train
    if folds == 1:
        val, train = np.split(rest, [vals])
        return val, np.sort(train)
    return _fold(rest, strata, folds, fold)


def _fold(rest: np.ndarray, strata: np.ndarray | None, folds: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Dealt like cards, class after class: neither a class nor a whole part has one sample more than its share."""
    if strata is not None:
        classes, counts = np.unique(strata[rest], return_counts=True)
        if counts.min() < folds:
            label, few = classes[counts.argmin()], counts.min()
            raise refuse("folds", folds, f"1 to {few}", f"class {label} has {few} samples beside the test split")
    dealt = rest if strata is None else rest[np.argsort(strata[rest], kind="stable")]
    validates = np.arange(len(dealt)) % folds == fold
    return dealt[validates], np.sort(dealt[~validates])


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


def content_digest(*tensors: Tensor) -> str:
    """SHA-256 of the samples in their original order, with types and shapes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        for block in torch.split(tensor, BLOCK):
            digest.update(block.contiguous().numpy().tobytes())
    return digest.hexdigest()
