"""A folder of images with a folder for each class, or with train, val and test above those."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor

from descent.data.faults import fault, refuse_no_folder
from descent.data.pictures import FORMATS, Header, header_of, is_picture, pixels_of
from descent.data.rooms import fits, room
from descent.data.shaping import resized
from descent.data.source import Source

TRAINING, TEST, VALIDATION = "train", "test", ("val", "valid", "validation")
LITTER = ("Thumbs.db", "desktop.ini", "__MACOSX")  # that systems leave, beside what begins with a dot

Sample = tuple[Path, int]


def image_folder(
    root: str,
    resize: int | list[int] | None = None,
    channels: Literal[1, 3] | None = None,
    others: Literal["refuse", "skip"] = "refuse",
    in_memory: bool | Literal["auto"] = "auto",
    scratch: str = ".",
) -> Source:
    """Every image as bytes, in memory or in a file; classes are the folders in the order of their names."""
    top = Path(root)
    refuse_no_folder(top)
    is_split = (top / TRAINING).is_dir()
    training = top / TRAINING if is_split else top
    classes = [folder.name for folder in _folders(training, others)]
    if not classes:
        raise fault(training, "no folder of a class in it", f"put images in {training.name}/<class>/")
    folders = {TRAINING: training, **(_other_parts(top, others) if is_split else {})}
    parts = {name: _samples(folder, classes, others) for name, folder in folders.items()}
    headers = {file: header_of(file) for part in parts.values() for file, _ in part}
    if resize is None:
        _refuse_sizes(headers)
    wanted = channels or max(header.channels for header in headers.values())
    size = resize if isinstance(resize, list) else [resize] * 2 if resize else list(next(iter(headers.values()))[:2])
    if in_memory == "auto":
        in_memory = fits(len(headers) * wanted * math.prod(size), psutil.virtual_memory().available)
    place = None if in_memory else Path(scratch)
    tensors = {name: _read(part, (wanted, *size), place) for name, part in parts.items()}
    return Source(
        "image_folder",
        "classification",
        *tensors[TRAINING],
        outputs=len(classes),
        test=tensors.get(TEST),
        val=tensors.get(VALIDATION[0]),
        classes=tuple(classes),
        scratch=place,
    )


def _read(samples: Sequence[Sample], shape: Sequence[int], scratch: Path | None) -> tuple[Tensor, Tensor]:
    images = room((len(samples), *shape), scratch)
    for row, (file, _) in enumerate(samples):
        images[row] = resized(pixels_of(file, shape[0]).unsqueeze(0), shape[1:])[0]
    return images, torch.tensor([label for _, label in samples])


def _samples(folder: Path, classes: Sequence[str], others: str) -> list[Sample]:
    """Files and class numbers; every class of the training part has its folder, and no other part has more."""
    found = _folders(folder, others)
    for one in found:
        if one.name not in classes:
            raise fault(one, "a class that training has not", f"allowed {' '.join(classes)}")
    samples = [(file, classes.index(one.name)) for one in found for file in _pictures(one, others)]
    if not samples:
        raise fault(folder, "no image in it", f"put images in {folder.name}/<class>/ ({' '.join(sorted(FORMATS))})")
    counts = Counter(label for _, label in samples)
    for label, name in enumerate(classes):
        if not counts[label]:
            raise fault(folder / name, "no image of this class", "put some there or remove the folder everywhere")
    return samples


def _folders(folder: Path, others: str) -> list[Path]:
    entries = _entries(folder)
    _refuse_strays(folder, [entry for entry in entries if not entry.is_dir()], others)
    return [entry for entry in entries if entry.is_dir()]


def _pictures(folder: Path, others: str) -> list[Path]:
    """Those of one class; folders inside it are not gone into, so links cannot lead in a circle."""
    entries = _entries(folder)
    for entry in entries:
        if entry.is_dir():
            raise fault(entry, "a folder in the folder of a class", "move its images up, or it away")
    _refuse_strays(folder, [entry for entry in entries if not is_picture(entry)], others)
    return [entry for entry in entries if is_picture(entry)]


def _refuse_strays(folder: Path, strays: Sequence[Path], others: str) -> None:
    if strays and others == "refuse":
        more = f" and {len(strays) - 1} more are" if len(strays) > 1 else " is"
        raise fault(strays[0], f"this{more} no image of a class", "move away, or set dataset.others=skip")


def _other_parts(top: Path, others: str) -> dict[str, Path]:
    """Folders of test and validation beside that of training."""
    found: dict[str, Path] = {}
    for folder in _folders(top, others):
        part = VALIDATION[0] if folder.name in VALIDATION else folder.name
        if part not in (TRAINING, TEST, VALIDATION[0]):
            raise fault(folder, "neither train, val nor test", "move it away")
        if part in found:
            raise fault(folder, f"beside {found[part].name}", "allowed one validation part")
        found[part] = folder
    return found


def _refuse_sizes(headers: dict[Path, Header]) -> None:
    (one, first), *rest = headers.items()
    for file, header in rest:
        if header[:2] != first[:2]:
            sizes = f"{header.width}x{header.height} pixels, {one.name} {first.width}x{first.height}"
            raise fault(file, sizes, f"set dataset.resize={min(first[:2])}, say")


def _entries(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise fault(folder, f"unreadable ({error.strerror})", "check its permissions") from None
    return [entry for entry in entries if entry.name not in LITTER and not entry.name.startswith(".")]
