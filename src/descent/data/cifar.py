"""CIFAR-10 and CIFAR-100 in their Python version: pickled batches, in the archive or unpacked."""

import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descent.data import known
from descent.data.faults import fault
from descent.data.plain_pickles import FROM_HERE, read_batch
from descent.data.source import Source

SHAPE = (3, 32, 32)
LARGEST = 1 << 28  # bytes of a batch: the largest published has 155 million


@dataclass(frozen=True)
class Layout:
    """How a set's archive is made up. `labels` and `names` are keys of a batch and of the file of names."""

    archive: str
    folder: str
    training: Sequence[str]
    test: str
    meta: str
    labels: str
    names: str
    classes: int


LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-python.tar.gz",
        "cifar-10-batches-py",
        tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test_batch",
        "batches.meta",
        "labels",
        "label_names",
        10,
    ),
    "cifar100": Layout(
        "cifar-100-python.tar.gz",
        "cifar-100-python",
        ("train",),
        "test",
        "meta",
        "fine_labels",
        "fine_label_names",
        100,
    ),
}


def cifar(name: str, root: str, download: bool, verify: bool) -> Source:
    """A set by its name, from its archive in the folder or from the folder that the archive holds."""
    layout = LAYOUTS[name]
    contents = dict(_contents(name, layout, Path(root), download, verify))
    training = [_batch(layout, *contents[part]) for part in layout.training]
    inputs, targets = torch.cat([part[0] for part in training]), torch.cat([part[1] for part in training])
    test = _batch(layout, *contents[layout.test])
    if verify:
        known.refuse_other_count(contents[layout.training[0]][0].parent, len(inputs), known.SETS[name].training)
        known.refuse_other_count(contents[layout.test][0], len(test[0]), known.SETS[name].test)
    classes = _names(layout, *contents[layout.meta])
    return Source(name, "classification", inputs, targets, outputs=layout.classes, test=test, classes=classes)


def _contents(
    name: str, layout: Layout, root: Path, download: bool, verify: bool
) -> Iterator[tuple[str, tuple[Path, bytes]]]:
    """Every file's content, with the place that a fault in it is told by."""
    wanted = [*layout.training, layout.test, layout.meta]
    folder, archive = root / layout.folder, root / layout.archive
    if folder.is_dir() and not archive.exists():
        for part in wanted:
            content = _of_file(name, folder / part)
            if verify and hashlib.md5(content, usedforsecurity=False).hexdigest() != known.SETS[name].inside[part]:
                raise fault(folder / part, "not as published (MD5)", known.AGAIN)
            yield part, (folder / part, content)
        return
    known.provide(name, layout.archive, root, fetch=download)
    if verify:
        known.refuse_altered(archive, known.SETS[name].files[layout.archive].md5)
    found = _of_archive(archive, {f"{layout.folder}/{part}": part for part in wanted})
    for part in wanted:
        if part not in found:
            raise fault(archive, f"{layout.folder}/{part} is not in it", FROM_HERE)
        yield part, (archive / layout.folder / part, found[part])


def _of_file(name: str, file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST:
            raise fault(file, f"{file.stat().st_size} bytes", f"a batch has at most {LARGEST}")
        return file.read_bytes()
    except FileNotFoundError:
        raise fault(
            file, "missing", f"unpack the whole archive of {name}, or put that beside and drop this folder"
        ) from None
    except OSError as error:
        raise fault(file, f"unreadable ({error.strerror})", "check its permissions") from None


def _of_archive(archive: Path, wanted: dict[str, str]) -> dict[str, bytes]:
    """Read in one pass, nothing unpacked to disk: what a member's path or link says is of no effect."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                part = wanted.get(member.name.removeprefix("./"))
                if part is None:
                    continue
                if not member.isreg() or member.size > LARGEST:
                    raise fault(archive, f"{member.name} is no file of at most {LARGEST} bytes", FROM_HERE)
                stream = members.extractfile(member)
                assert stream is not None
                found[part] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise fault(archive, f"damaged archive ({error})", FROM_HERE) from None
    except OSError as error:
        raise fault(archive, f"unreadable ({error.strerror or error})", FROM_HERE) from None
    return found


def _batch(layout: Layout, file: Path, content: bytes) -> tuple[Tensor, Tensor]:
    batch = read_batch(file, content)
    for key in ("data", layout.labels):
        if key not in batch:
            hint = "is it the other CIFAR?" if key == layout.labels else FROM_HERE
            raise fault(file, f"there is no {key} in it", hint)
    images, labels = batch["data"], batch[layout.labels]
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != np.prod(SHAPE):
        shown = "x".join(map(str, images.shape)) if isinstance(images, np.ndarray) else type(images).__name__
        raise fault(file, f"data is {shown}", f"allowed rows of {np.prod(SHAPE)} bytes")
    _refuse_labels(layout, file, labels, len(images))
    pixels = torch.from_numpy(images.copy()).view(-1, *SHAPE)
    return pixels, torch.tensor(labels, dtype=torch.int64)


def _refuse_labels(layout: Layout, file: Path, labels: Any, images: int) -> None:
    if not isinstance(labels, list) or len(labels) != images or not labels:
        count = len(labels) if isinstance(labels, list) else type(labels).__name__
        raise fault(file, f"{layout.labels} has {count} for {images} images", "there is one a row")
    for row, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < layout.classes:
            shown = label if isinstance(label, str) or (type(label) is int and abs(label) < 1 << 63) else "of no number"
            raise fault(file, f"label {shown} in row {row}", f"allowed 0 to {layout.classes - 1}")


def _names(layout: Layout, file: Path, content: bytes) -> tuple[str, ...]:
    names = read_batch(file, content).get(layout.names)
    if not isinstance(names, list) or len(names) != layout.classes or not all(isinstance(name, str) for name in names):
        raise fault(file, f"{layout.names} has no {layout.classes} names", FROM_HERE)
    return tuple(names)
