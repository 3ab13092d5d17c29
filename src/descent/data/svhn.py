"""Street View House Numbers, cropped digits: two MATLAB files."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descent.data import known
from descent.data.faults import fault
from descent.data.source import Source

CLASSES = 10
AGAIN = "get the file again"


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
    """X and y, of which types and shapes are looked at before a byte of them is unpacked."""
    from scipy.io import loadmat, whosmat

    declared = {name: (kind, shape) for name, shape, kind in _or_fault(file, lambda: whosmat(file))}
    for name in ("X", "y"):
        if name not in declared:
            raise fault(
                file,
                f"there is no {name} in it, but {', '.join(sorted(declared)) or 'nothing'}",
                "cut off? get the file again",
            )
    kind, shape = declared["X"]
    if kind != "uint8" or shape[:3] != (32, 32, 3) or len(shape) != 4:
        raise fault(file, f"X is {_shown(shape)} of {kind}", "allowed 32x32x3xN of uint8")
    count = shape[3]
    if declared["y"][1] not in ((count, 1), (1, count)) or not count:
        raise fault(file, f"y is {_shown(declared['y'][1])} for {count} images", "there is one label an image")
    loaded = _or_fault(file, lambda: loadmat(file, variable_names=["X", "y"]))
    return loaded["X"], _labels(file, loaded["y"].ravel())


def _labels(file: Path, labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind not in "uif":
        raise fault(file, f"y is of {labels.dtype}", "allowed numbers")
    wrong = np.flatnonzero(~np.isin(labels, np.arange(1, CLASSES + 1)))
    if len(wrong):
        raise fault(file, f"label {labels[wrong[0]]} in row {wrong[0]}", "allowed 1 to 10, where 10 is the digit 0")
    return labels.astype(np.int64)


def _or_fault(file: Path, read: Any) -> Any:
    try:
        return read()
    except NotImplementedError:
        raise fault(file, "a MATLAB 7.3 file", "save it with -v7, or get the published file") from None
    except Exception as error:  # scipy raises what a damaged byte leads it to
        said = str(error) or type(error).__name__
        raise fault(file, f"no readable MATLAB file ({said})", AGAIN) from None


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
