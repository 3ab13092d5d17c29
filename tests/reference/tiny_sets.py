"""A few samples in the real formats of the well-known sets, written here byte by byte."""

import gzip
import io
import struct
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

CIFAR10, CIFAR100 = "cifar-10-batches-py", "cifar-100-python"
ARCHIVES = {CIFAR10: "cifar-10-python.tar.gz", CIFAR100: "cifar-100-python.tar.gz"}
IDX = {"train": 40, "t10k": 10}


SETS = ("mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn", "image_folder")  # datasets in files


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def mnist(root: Path, *, packed: bool = True) -> dict[str, np.ndarray]:
    """40 and 10 images of 28x28 in four files; what is in them, by the files' names without .gz."""
    root.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, count in IDX.items():
        arrays[f"{part}-images-idx3-ubyte"] = noise(count, 28, 28, seed=count)
        arrays[f"{part}-labels-idx1-ubyte"] = np.arange(count, dtype=np.uint8) % 10
    for name, array in arrays.items():
        if packed:
            (root / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (root / name).write_bytes(idx(array))
    return arrays


def python2(value: Any) -> bytes:
    """A pickle of protocol 2 with Python 2's strings, as the published batches are: keys and raw bytes are `str`."""
    if isinstance(value, np.ndarray):
        shape = b"".join(b"J" + struct.pack("<i", size) for size in value.shape)
        empty = b"K\x00\x85U\x01b\x87R"
        kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        content = b"T" + struct.pack("<i", value.size) + value.tobytes()
        start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + empty
        return start + b"(K\x01(" + shape + b"t" + kind + b"\x89" + content + b"tb"
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(one) for pair in value.items() for one in pair) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode("latin1")
    return b"J" + struct.pack("<i", value)


def batch(value: Any) -> bytes:
    return b"\x80\x02" + python2(value) + b"."


def cifar(root: Path, folder: str = CIFAR10, *, packed: bool = True) -> dict[str, Any]:
    """20 images a batch; the batches, by their files' names."""
    classes = 10 if folder == CIFAR10 else 100
    labels, names = ("labels", "label_names") if folder == CIFAR10 else ("fine_labels", "fine_label_names")
    parts = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    parts, meta = (parts, "batches.meta") if folder == CIFAR10 else (["train", "test"], "meta")
    batches: dict[str, Any] = {
        part: {
            "data": noise(20, 3072, seed=seed),
            labels: [(seed + row) % classes for row in range(20)],
            "batch_label": part,
            "filenames": [f"{row}.png" for row in range(20)],
        }
        for seed, part in enumerate(parts)
    }
    batches[meta] = {names: [f"class {number}" for number in range(classes)], "num_vis": 3072}
    contents = {f"{folder}/{part}": batch(value) for part, value in batches.items()}
    (write_tar if packed else write_folder)(root, folder, contents)
    return batches


def write_tar(root: Path, folder: str, contents: dict[str, bytes]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / ARCHIVES[folder], "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_folder(root: Path, folder: str, contents: dict[str, bytes]) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (root / name).write_bytes(content)


def svhn(root: Path) -> dict[str, np.ndarray]:
    """40 and 10 images; what X and y hold."""
    root.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, count in (("train", 40), ("test", 10)):
        arrays[f"{part} X"] = noise(32, 32, 3, count, seed=count)
        arrays[f"{part} y"] = (np.arange(count, dtype=np.uint8) % 10 + 1).reshape(-1, 1)
        write_mat(root / f"{part}_32x32.mat", X=arrays[f"{part} X"], y=arrays[f"{part} y"])
    return arrays


def write_mat(file: Path, **arrays: Any) -> None:
    savemat(file, arrays, do_compression=True)


def images(root: Path, classes: Sequence[str] = ("cat", "dog"), count: int = 12, suffix: str = ".png") -> np.ndarray:
    """Colour images of 8x8 in a folder for each class; their pixels, class after class."""
    pixels = noise(len(classes) * count, 8, 8, 3, seed=count)
    for row, array in enumerate(pixels):
        folder = root / classes[row // count]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / f"{row % count:03}{suffix}")
    return pixels


def write(dataset: str, root: Path) -> None:
    """Good files of that dataset, where the project has them."""
    folder = root / "data" / dataset
    if dataset.startswith("cifar"):
        cifar(folder, CIFAR10 if dataset == "cifar10" else CIFAR100)
    else:
        {"svhn": svhn, "image_folder": images}.get(dataset, mnist)(folder)
