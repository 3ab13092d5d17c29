"""MNIST and the sets in its format: two IDX files of images and two of labels."""

from pathlib import Path

from torch import Tensor

from descent.data import known
from descent.data.faults import fault
from descent.data.idx import read_idx
from descent.data.source import Source

CLASSES = 10


def idx_images(name: str, root: str, download: bool, verify: bool) -> Source:
    """A set by its name, from its four files in the folder: as published, or unpacked."""
    training = _part(name, Path(root), "train", download, verify)
    test = _part(name, Path(root), "t10k", download, verify)
    if training[0].shape[1:] != test[0].shape[1:]:
        sizes = ["x".join(map(str, part[0].shape[2:])) for part in (training, test)]
        raise fault(Path(root), f"training images of {sizes[0]}, test images of {sizes[1]}", "allowed one size")
    return Source(name, "classification", *training, outputs=CLASSES, test=test, classes=known.SETS[name].classes)


def _part(name: str, root: Path, part: str, download: bool, verify: bool) -> tuple[Tensor, Tensor]:
    image_file = _file(name, root, f"{part}-images-idx3-ubyte", download, verify)
    label_file = _file(name, root, f"{part}-labels-idx1-ubyte", download, verify)
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        raise fault(
            label_file, f"{len(labels)} labels for {len(images)} images", f"do they belong to {image_file.name}?"
        )
    if int(labels.max()) >= CLASSES:
        row = int((labels >= CLASSES).nonzero()[0])
        raise fault(label_file, f"label {int(labels[row])} in row {row} (offset {8 + row})", "allowed 0 to 9")
    if verify:
        published = known.SETS[name]
        known.refuse_other_count(image_file, len(images), published.training if part == "train" else published.test)
    return images.unsqueeze(1), labels.long()


def _file(name: str, root: Path, plain: str, download: bool, verify: bool) -> Path:
    """The compressed file, which has a published checksum, or the unpacked one, which has none."""
    packed = f"{plain}.gz"
    if not (root / packed).exists() and (root / plain).is_file():
        return root / plain
    file = known.provide(name, packed, root, fetch=download)
    if verify:
        known.refuse_altered(file, known.SETS[name].files[packed].md5)
    return file
