"""Missing and damaged files of every format: exit 3, one line with the file and the place, nothing left behind."""

import gzip
import io
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from descent.assembly import load
from descent.errors import DataError
from reference import tiny_sets
from reference.tiny_sets import CIFAR10, batch, idx, noise, write_mat

LONGEST_LINE = 200
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
TRAIN, TEST = "train_32x32.mat", "test_32x32.mat"


class Case(NamedTuple):
    """Good files in `root` are spoilt by `spoil(root)`; the line says `says`, a regular expression."""

    name: str
    spoil: Callable[[Path], object]
    says: str
    more: tuple[str, ...] = ()


def put(name: str, content: bytes) -> Callable[[Path], object]:
    """The file with another content."""

    def spoil(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return spoil


def packed(name: str, content: bytes) -> Callable[[Path], object]:
    return put(name, gzip.compress(content))


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """The file with its bytes changed."""
    return lambda root: (root / name).write_bytes(change((root / name).read_bytes()))


def gone(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink() if (root / name).is_file() else shutil.rmtree(root / name)


def unpacked(part: str, content: bytes | None) -> Callable[[Path], object]:
    """CIFAR-10's folder instead of its archive, with one file changed or gone."""

    def spoil(root: Path) -> None:
        with tarfile.open(root / tiny_sets.ARCHIVES[CIFAR10]) as archive:
            archive.extractall(root, filter="data")
        gone(tiny_sets.ARCHIVES[CIFAR10])(root)
        gone(f"{CIFAR10}/{part}")(root)
        if content is not None:
            (root / CIFAR10 / part).write_bytes(content)

    return spoil


def archived(members: dict[str, bytes]) -> Callable[[Path], object]:
    return lambda root: tiny_sets.write_tar(root, CIFAR10, members)


def linked(root: Path) -> None:
    """An archive whose batch is a link to a file outside."""
    with tarfile.open(root / tiny_sets.ARCHIVES[CIFAR10], "w:gz") as archive:
        member = tarfile.TarInfo(f"{CIFAR10}/data_batch_1")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)


def of_labels(labels: object, key: str = "labels") -> bytes:
    return batch({"data": noise(4, 3072), key: labels})


def mat(name: str, **arrays: object) -> Callable[[Path], object]:
    return lambda root: write_mat(root / name, **arrays)


def picture(*shape: int, kind: str = "PNG", mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(noise(*shape))
    (image.convert(mode) if mode else image).save(stream, kind)
    return stream.getvalue()


def huge(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has that many pixels."""
    small = picture(8, 8, 3)
    header = small[12:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


def looped(root: Path) -> None:
    (root / "cat" / "again").symlink_to(root)


def dangling(root: Path) -> None:
    (root / "cat" / "x.png").symlink_to("x.png")


def with_parts(**classes: list[str]) -> Callable[[Path], object]:
    """train/ and other parts instead of the folders of classes."""

    def spoil(root: Path) -> None:
        shutil.rmtree(root)
        for part, names in {"train": ["cat", "dog"], **classes}.items():
            tiny_sets.images(root / part, names)

    return spoil


def cut_before_y(root: Path) -> None:
    """X is the first element after the header of 128 bytes, and says how long it is."""
    content = (root / TRAIN).read_bytes()
    (root / TRAIN).write_bytes(content[: 136 + int.from_bytes(content[132:136], "little")])


GOOD_X, GOOD_Y = noise(32, 32, 3, 4), np.array([[1], [2], [10], [9]], np.uint8)
FEW = idx(noise(40, 28, 28))
MNIST = [
    Case("missing", gone(IMAGES), rf"{IMAGES}: missing; put it and the other 3 of mnist there, or set dataset.down"),
    Case("no folder", lambda root: shutil.rmtree(root), rf"{IMAGES}: missing; put it"),
    Case("labels missing", gone(TEST_LABELS), rf"{TEST_LABELS}: missing"),
    Case("a folder in its place", lambda root: (gone(IMAGES)(root), (root / IMAGES).mkdir()), rf"{IMAGES}: no file"),
    Case(
        "not as published",
        lambda root: None,
        rf"{IMAGES}: MD5 \w+…, published f68b3c2d…; del",
        ("dataset.verify=true",),
    ),
    Case("empty", put(IMAGES, b""), rf"{IMAGES}: no IDX file: begins with nothing"),
    Case("empty gzip", packed(IMAGES, b""), "no IDX file: begins with nothing"),
    Case("a page", put(IMAGES, b"<!DOCTYPE html>"), "no IDX file: begins with 3c21444f"),
    Case(
        "another type",
        packed(IMAGES, b"\0\0\x0d\x03" + FEW[4:]),
        "type 0x0d at offset 2, allowed 0x08|type 0x0d at offset 2; allowed 0x08",
    ),
    Case(
        "labels as images",
        packed(IMAGES, idx(noise(40))),
        "1 dimensions at offset 3, expected 3; are images and labels",
    ),
    Case("images as labels", packed(LABELS, FEW), "3 dimensions at offset 3, expected 1"),
    Case("half a header", packed(IMAGES, FEW[:10]), "ends at byte 10, within its header"),
    Case("no image", packed(IMAGES, idx(noise(0, 28, 28))), "dimension 0 is 0 at offset 4"),
    Case("too wide a claim", packed(IMAGES, FEW[:4] + b"\xff" * 12 + FEW[16:]), r"ends at byte 31376 of \d{20,}"),
    Case("cut off", packed(IMAGES, FEW[:-1]), "ends at byte 31375 of 31376"),
    Case("more than said", packed(IMAGES, FEW + b"\0"), "more bytes follow after 31376"),
    Case("gzip cut off", changed(IMAGES, lambda old: old[:9000]), "damaged gzip"),
    Case("gzip damaged", changed(IMAGES, lambda old: old[:9000] + b"\0" * 90 + old[9090:]), "damaged gzip"),
    Case("gzip with a wrong sum", changed(IMAGES, lambda old: old[:-8] + b"\0" * 4 + old[-4:]), "damaged gzip .*CRC"),
    Case("too few labels", packed(LABELS, idx(noise(39) % 10)), "39 labels for 40 images; do they belong to train-im"),
    Case(
        "label 10", packed(LABELS, idx(np.arange(40, dtype=np.uint8) % 11)), r"label 10 in row 10 \(offset 18\); allow"
    ),
    Case("other sizes in test", packed("t10k-images-idx3-ubyte.gz", idx(noise(10, 8, 8))), "28x28, test images of 8x8"),
]
ARCHIVE = tiny_sets.ARCHIVES[CIFAR10].replace(".", r"\.")
CIFAR = [
    Case("missing", gone(tiny_sets.ARCHIVES[CIFAR10]), rf"{ARCHIVE}: missing; put it of cifar10 there"),
    Case("not as published", lambda root: None, rf"{ARCHIVE}: MD5 \w+…, published c58f3010…", ("dataset.verify=true",)),
    Case("no archive", put(tiny_sets.ARCHIVES[CIFAR10], b"<html>"), rf"{ARCHIVE}: damaged archive"),
    Case("cut off", changed(tiny_sets.ARCHIVES[CIFAR10], lambda old: old[:3000]), rf"{ARCHIVE}: damaged archive"),
    Case("without a batch", archived({"x": b""}), rf"{CIFAR10}/data_batch_1 is not in it"),
    Case("a link", linked, f"{CIFAR10}/data_batch_1 is no file"),
    Case("folder without a batch", unpacked("data_batch_3", None), "data_batch_3: missing; unpack the whole archive"),
    Case(
        "folder not as published",
        unpacked("test_batch", b""),
        r"data_batch_1: not as published \(MD5\)",
        ("dataset.verify=true",),
    ),
    Case("empty batch", unpacked("data_batch_2", b""), "data_batch_2: no batch: .*at offset 0"),
    Case(
        "batch cut off",
        unpacked("data_batch_2", of_labels([1, 2, 3, 4])[:500]),
        r"data_batch_2: no batch: .*at offset \d+",
    ),
    Case(
        "a program",
        unpacked("test_batch", b"cos\nsystem\n(S'true'\ntR."),
        "test_batch: it asks for os.system at offset 11",
    ),
    Case("a list", unpacked("data_batch_1", batch([1, 2])), "no batch: it holds list, expected a dict"),
    Case("no data", unpacked("data_batch_1", batch({"labels": [1]})), "there is no data in it"),
    Case(
        "the other CIFAR",
        unpacked("data_batch_1", of_labels([1, 2, 3, 4], "fine_labels")),
        "no labels in it; is it the other",
    ),
    Case("data of text", unpacked("data_batch_1", batch({"data": "x", "labels": [1]})), "data is str"),
    Case(
        "narrow rows",
        unpacked("data_batch_1", batch({"data": noise(2, 100), "labels": [1, 2]})),
        "data is 2x100; allowed rows of 3072",
    ),
    Case("few labels", unpacked("data_batch_1", of_labels([1, 2, 3])), "labels has 3 for 4 images"),
    Case(
        "label 10",
        unpacked("data_batch_4", of_labels([1, 2, 10, 4])),
        "data_batch_4: label 10 in row 2; allowed 0 to 9",
    ),
    Case("label -1", unpacked("data_batch_1", of_labels([-1, 2, 1, 4])), "label -1 in row 0"),
    Case("a label of text", unpacked("data_batch_1", of_labels([1, "2", 1, 4])), "label 2 in row 1"),
    Case(
        "names", unpacked("batches.meta", batch({"label_names": ["cat"]})), "batches.meta: label_names has no 10 names"
    ),
]
SVHN = [
    Case("missing", gone(TEST), rf"{TEST}: missing; put it and the other one of svhn there"),
    Case("not as published", lambda root: None, rf"{TRAIN}: MD5 \w+…, published e26dedcc…", ("dataset.verify=true",)),
    Case("empty", put(TRAIN, b""), rf"{TRAIN}: no MATLAB 5 file: bytes 126 and 127 are not IM"),
    Case("no MATLAB file", put(TRAIN, noise(4000).tobytes()), rf"{TRAIN}: no MATLAB 5 file"),
    Case(
        "cut off", changed(TRAIN, lambda old: old[:5000]), r"it ends at byte 5000 of \d+ in the element at offset 128"
    ),
    Case(
        "cut off in y", changed(TRAIN, lambda old: old[:-20]), r"it ends at byte \d+ of \d+ in the element at offset 1"
    ),
    Case("cut off before y", cut_before_y, r"there is no y in it, but X; cut off\? get the file again"),
    Case(
        "damaged", changed(TRAIN, lambda old: old[:5000] + bytes(50) + old[5050:]), "damaged: .*element at offset 128"
    ),
    Case(
        "MATLAB 7.3",
        put(TRAIN, b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\x02IM" + bytes(400)),
        "a MATLAB 7.3 file; save it with -v7",
    ),
    Case("no y", mat(TRAIN, X=GOOD_X), "there is no y in it, but X"),
    Case("X of float", mat(TRAIN, X=GOOD_X / 255, y=GOOD_Y), "X is 32x32x3x4 of double"),
    Case("X of 28x28", mat(TRAIN, X=noise(28, 28, 3, 4), y=GOOD_Y), "X is 28x28x3x4 of uint8"),
    Case("few labels", mat(TRAIN, X=GOOD_X, y=GOOD_Y[:3]), "y is 3x1 for 4 images"),
    Case("label 0", mat(TEST, X=GOOD_X, y=GOOD_Y - 1), rf"{TEST}: label 0 in row 0; allowed 1 to 10"),
    Case("label 2.5", mat(TEST, X=GOOD_X, y=GOOD_Y + 0.5), "label 1.5 in row 0"),
    Case("labels of text", mat(TEST, X=GOOD_X, y=np.array([[["a"]], [["b"]], [["c"]], [["d"]]], object)), "y is"),
]
FOLDER = [
    Case("missing", lambda root: shutil.rmtree(root), "no folder; put a folder of images for each class there"),
    Case("a file", lambda root: (shutil.rmtree(root), root.write_bytes(b"")), "no folder; put"),
    Case("no class", lambda root: (gone("cat")(root), gone("dog")(root)), "no folder of a class in it; put images in"),
    Case("empty class", lambda root: (root / "eel").mkdir(), "eel: no image of this class"),
    Case("empty part", lambda root: (root / "train").mkdir(), "train: no folder of a class in it"),
    Case("text", put("cat/notes.txt", b"x"), "notes.txt: this is no image of a class; move away, or set dataset.oth"),
    Case("texts", lambda root: [put(f"cat/{one}.txt", b"x")(root) for one in "abc"], "a.txt: this and 2 more are no "),
    Case("an image beside the classes", put("x.png", picture(8, 8, 3)), "x.png: this is no image of a class"),
    Case("a folder in a class", lambda root: (root / "cat" / "old").mkdir(), "old: a folder in the folder of a class"),
    Case("a loop of links", looped, "again: a folder in the folder of a class"),
    Case("a link to itself", dangling, r"x.png: unreadable \(.*symbolic links"),
    Case("empty file", put("cat/x.png", b""), "x.png: no PNG image, or its beginning is damaged"),
    Case("renamed text", put("cat/x.png", b"hello"), "x.png: no PNG image"),
    Case("another format", put("cat/x.png", picture(8, 8, 3, kind="BMP")), "x.png: no PNG image"),
    Case("cut off", put("dog/x.png", picture(8, 8, 3)[:-60]), r"x.png: damaged"),
    Case("damaged JPEG", put("dog/x.jpg", picture(8, 8, 3, kind="JPEG")[:-200]), r"x.jpg: (damaged|no JPEG)"),
    Case("another size", put("dog/x.png", picture(8, 9, 3)), r"x.png: 9x8 pixels, 000.png 8x8; set dataset.resize=8"),
    Case("a bomb", put("dog/x.png", huge(20_000, 20_000)), r"x.png: (far too many|20000x20000) pixels"),
    Case("a large one", put("dog/x.png", huge(9_000, 9_000)), r"x.png: 9000x9000 pixels; allowed 67,108,864 in all"),
    Case("16 bits", put("dog/x.png", picture(8, 8, mode="I;16")), r"x.png: more than 8 bits a channel \(mode I;16\)"),
    Case("a class of test alone", with_parts(test=["eel"]), "eel: a class that training has not; allowed cat dog"),
    Case("two for validation", with_parts(val=["cat", "dog"], valid=["cat", "dog"]), "valid: beside val; allowed one"),
    Case("half a validation part", with_parts(val=["cat"]), "val/dog: no image of this class"),
    Case("a third part", lambda root: (tiny_sets.images(root / "train"),), "cat: neither train, val nor test"),
]  # fmt: skip
TABLE = {"mnist": MNIST, "cifar10": CIFAR, "svhn": SVHN, "image_folder": FOLDER}
WRITE = {"mnist": tiny_sets.mnist, "cifar10": tiny_sets.cifar, "svhn": tiny_sets.svhn, "image_folder": tiny_sets.images}
CASES = [
    pytest.param(dataset, case, id=f"{dataset}: {case.name}") for dataset, cases in TABLE.items() for case in cases
]
SHORT = ["tracking=none", "epochs=1", "batch_size=20", "model=linear"]


def own(dataset: str) -> list[str]:
    return [f"dataset={dataset}", *([] if dataset == "image_folder" else ["dataset.verify=false"])]


@pytest.fixture(scope="module")
def configured(composed):
    """Composed once each: what is wrong is on the disk."""
    return cache(lambda dataset, more: composed(*own(dataset), *more, *SHORT))


@pytest.mark.parametrize(("dataset", "case"), CASES)
def test_one_line_and_exit_3(tmp_path, configured, dataset, case):
    root = tmp_path / "data" / dataset
    WRITE[dataset](root)
    case.spoil(root)
    with pytest.raises(DataError) as refusal:
        load(configured(dataset, case.more))
    line = str(refusal.value)
    assert re.search(case.says, line), line
    assert "; " in line  # what to do
    assert "\n" not in line
    assert len(line) <= LONGEST_LINE
    assert DataError.exit_code == 3


@pytest.mark.parametrize("dataset", TABLE)
def test_the_command_says_it_and_leaves_nothing(tmp_path, run_here, dataset):
    case = TABLE[dataset][1]
    root = tmp_path / "data" / dataset
    WRITE[dataset](root)
    case.spoil(root)
    answer = run_here([*own(dataset), *case.more, *SHORT])
    said = answer.err.splitlines()
    assert (answer.code, answer.out, len(said)) == (3, "", 1), answer.err
    assert re.search(case.says, said[0]), said[0]
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == []


def test_there_are_enough_of_them():
    assert len(CASES) >= 60
    assert len({case.id for case in CASES}) == len(CASES)
