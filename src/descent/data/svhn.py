"""Street View House Numbers, cropped digits: two MATLAB files."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from descent.data import known
from descent.data.faults import fault
from descent.data.mat import AGAIN, read_mat
from descent.data.source import Source

CLASSES = 10


def svhn(root: str, download: bool, verify: bool) -> Source:
    """Colour images of 32x32; the digit 0, which the files call 10, is class 0."""
    training = _part(Path(root), "train", download, verify)
    test = _part(Path(root), "test", download, verify)
    return Source("svhn", "classification", *training, outputs=CLASSES, test=test, classes=known.SETS["svhn"].classes)


def _part(root: Path, part: str, download: bool, verify: bool) -> tuple[Tensor, Tensor]:
    published = known.SETS["svhn"]
    file = known.provide("svhn", f"{part}_32x32.mat", root, fetch=download)
    if verify:
        known.refuse_altered(file, published.files[file.name].md5)
    images, labels = _arrays(file)
    if verify:
        known.refuse_other_count(file, len(labels), published.training if part == "train" else published.test)
    pixels = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    return torch.from_numpy(pixels), torch.from_numpy(labels % CLASSES)


def _arrays(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """X and y, as they are declared and of one length."""
    found = read_mat(file, ("X", "y"))
    for name in ("X", "y"):
        if name not in found:
            raise fault(file, f"there is no {name} in it, but {' '.join(found) or 'neither X'}", f"cut off? {AGAIN}")
    images, labels = found["X"], found["y"]
    if images.kind != "uint8" or images.values is None or images.shape[:3] != (32, 32, 3) or len(images.shape) != 4:
        raise fault(file, f"X is {_shown(images.shape)} of {images.kind}", "allowed 32x32x3xN of uint8")
    count = images.shape[3]
    if labels.shape not in ((count, 1), (1, count)) or not count:
        raise fault(file, f"y is {_shown(labels.shape)} for {count} images", "there is one label an image")
    if labels.values is None:
        raise fault(file, f"y is of {labels.kind}", "allowed numbers")
    return images.values.astype(np.uint8, copy=False), _labels(file, labels.values.ravel())


def _labels(file: Path, labels: np.ndarray) -> np.ndarray:
    wrong = np.flatnonzero(~np.isin(labels, np.arange(1, CLASSES + 1)))
    if len(wrong):
        raise fault(file, f"label {labels[wrong[0]]} in row {wrong[0]}", "allowed 1 to 10, where 10 is the digit 0")
    return labels.astype(np.int64)


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
