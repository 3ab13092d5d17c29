"""The well-known sets from tiny files in their own formats, against what was written and against torchvision."""

import gzip
import hashlib
import pickle
from collections import namedtuple
from contextlib import suppress

import numpy as np
import pytest
import torch
import torchvision
from scipy.io import loadmat, savemat

from descent.data import known
from descent.data.cifar import LAYOUTS, cifar
from descent.data.idx import read_idx
from descent.data.mat import read_mat
from descent.data.mnist import idx_images
from descent.data.plain_pickles import STAND_INS, read_batch
from descent.data.svhn import svhn
from descent.errors import DataError
from reference import tiny_sets
from reference.tiny_sets import noise

Point = namedtuple("Point", "x y")


def torchvisions(name):
    return getattr(torchvision.datasets, known.SETS[name].torchvision)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_the_files_of_mnists_kind_are_those_that_torchvision_pins(name):
    source, ours = torchvisions(name), known.SETS[name]
    assert {file: one.md5 for file, one in ours.files.items()} == dict(source.resources)
    for file in ours.files:
        assert known.addresses(name, file) == [mirror + file for mirror in source.mirrors]
    if name != "mnist":
        assert list(ours.classes) == source.classes


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_files_of_cifar_are_those_that_torchvision_pins(name):
    source, ours, layout = torchvisions(name), known.SETS[name], LAYOUTS[name]
    meta = source.meta["filename"]
    assert {file: one.md5 for file, one in ours.files.items()} == {source.filename: source.tgz_md5}
    assert ours.inside == {**dict(source.train_list), **dict(source.test_list), meta: source.meta["md5"]}
    assert (layout.archive, layout.folder) == (source.filename, source.base_folder)
    assert [[*layout.training], layout.test] == [[file for file, _ in source.train_list], source.test_list[0][0]]
    assert (layout.meta, layout.names) == (meta, source.meta["key"])
    assert known.addresses(name, source.filename) == [source.url]


def test_the_files_of_svhn_are_those_that_torchvision_pins():
    pinned = {file: (address, md5) for address, file, md5 in torchvisions("svhn").split_list.values()}
    for file, published in known.SETS["svhn"].files.items():
        assert (known.addresses("svhn", file), published.md5) == ([pinned[file][0]], pinned[file][1])


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_what_was_written_and_what_torchvision_reads(tmp_path, packed):
    written = tiny_sets.mnist(tmp_path, packed=packed)
    source = idx_images("kmnist", str(tmp_path), False, False)
    inputs, targets = source.test
    for got, name in ((source.inputs, "train-images-idx3"), (inputs, "t10k-images-idx3")):
        assert got.dtype == torch.uint8 and got.is_contiguous()
        assert np.array_equal(got[:, 0], written[f"{name}-ubyte"])
    for got, name in ((source.targets, "train-labels-idx1"), (targets, "t10k-labels-idx1")):
        assert got.dtype == torch.int64
        assert np.array_equal(got, written[f"{name}-ubyte"])
    assert (source.name, source.outputs, source.classes[1]) == ("kmnist", 10, "ki")
    if not packed:
        theirs = torchvision.datasets.mnist.read_image_file(str(tmp_path / "train-images-idx3-ubyte"))
        assert torch.equal(theirs, source.inputs[:, 0])


@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 4), (70_000,), (2, 700, 900)])
def test_idx_of_any_size(tmp_path, shape):
    array = tiny_sets.noise(*shape)
    for file, content in (("plain", tiny_sets.idx(array)), ("packed", gzip.compress(tiny_sets.idx(array)))):
        (tmp_path / file).write_bytes(content)
        assert np.array_equal(read_idx(tmp_path / file, len(shape)), array)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("name", "folder"), [("cifar10", tiny_sets.CIFAR10), ("cifar100", tiny_sets.CIFAR100)])
def test_cifar_is_what_was_written(tmp_path, name, folder, packed):
    written = tiny_sets.cifar(tmp_path, folder, packed=packed)
    source, layout = cifar(name, str(tmp_path), False, False), LAYOUTS[name]
    training = [written[part] for part in layout.training]
    for (inputs, targets), batches in (
        ((source.inputs, source.targets), training),
        (source.test, [written[layout.test]]),
    ):
        assert inputs.dtype == torch.uint8
        assert np.array_equal(inputs, np.concatenate([one["data"] for one in batches]).reshape(-1, 3, 32, 32))
        assert targets.tolist() == [label for one in batches for label in one[layout.labels]]
    assert (source.outputs, source.classes) == (layout.classes, tuple(written[layout.meta][layout.names]))


def test_the_batches_that_tests_write_are_pickles_of_numpy(tmp_path):
    written = tiny_sets.cifar(tmp_path)["data_batch_2"]
    theirs = pickle.loads(tiny_sets.batch(written), encoding="latin1")
    assert np.array_equal(theirs.pop("data"), written.pop("data"))
    assert theirs == written


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_batches_that_todays_python_writes_are_read(tmp_path, protocol):
    array = tiny_sets.noise(4, 3072)
    batch = read_batch(tmp_path, pickle.dumps({b"data": array, "labels": [1, 2, 3, 4], b"name": b"\xe9"}, protocol))
    assert np.array_equal(batch.pop("data"), array)
    assert batch == {"labels": [1, 2, 3, 4], "name": b"\xe9"}


class Runs:
    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return (eval, (self.code,))


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch reached'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
        b"(S'touch reached'\nios\nsystem\n.",
        b"\x80\x02cdescent.data.plain_pickles\npickle\n.",
        b"\x80\x04\x8c\x0bnumpy._core\x8c\x1bmultiarray._reconstruct.__g\x93.",
        pickle.dumps({"data": Runs("open('reached', 'w')")}),
        pickle.dumps({"labels": [Point(1, 2)]}),
        pickle.dumps({"data": np.arange(3), "labels": {1, 2}, "when": np.datetime64("2020-01-01")}),
    ],
)
def test_a_pickle_runs_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"it asks for \S+ at offset \d+; do not trust it") as refusal:
        read_batch(tmp_path / "batch", content)
    assert len(str(refusal.value)) <= 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"}r\xff\xff\xff\x7f.", "a value is kept in place 2147483647 of 1"),
        (b"}q\x07.", "a value is kept in place 7 of 1"),
        (b"}p99\n.", "a value is kept in place 99 of 1"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.", "offset"),
        (b"T\xff\xff\xff\x7fabc.", "only 3 remain|offset"),
        (b"](K\x01K\x02e", "offset"),
        (b"}(K\x01K\x02u.", "a key of type int"),
        (b".", "offset"),
    ],
)
def test_a_damaged_number_asks_for_no_room(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read_batch(tmp_path / "batch", content)


@pytest.mark.parametrize("name", [b"_codecs\nencode", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct"])
@pytest.mark.parametrize("state", [b"}U\x04nameU\x01xs", b"N}U\x0c__defaults__N}s\x86"])
def test_a_pickle_changes_nothing(tmp_path, name, state):
    before = [(one, dict(vars(one))) for one in STAND_INS.values()]
    with pytest.raises(DataError, match=r"no batch: .* at offset \d+; get the file again"):
        read_batch(tmp_path / "batch", b"\x80\x02c" + name + b"\n" + state + b"b.")
    assert before == [(one, dict(vars(one))) for one in STAND_INS.values()]


def test_svhn_is_what_was_written_with_zero_as_class_zero(tmp_path):
    written = tiny_sets.svhn(tmp_path)
    source = svhn(str(tmp_path), False, False)
    for (inputs, targets), part in (((source.inputs, source.targets), "train"), (source.test, "test")):
        assert inputs.dtype == torch.uint8 and inputs.is_contiguous()
        for row, image in enumerate(inputs):
            assert np.array_equal(image.permute(1, 2, 0), written[f"{part} X"][..., row])
        assert targets.tolist() == [int(label) if label < 10 else 0 for label in written[f"{part} y"].ravel()]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_matlab_files_are_what_scipy_writes_and_reads(tmp_path, compressed, dtype):
    written = {name: noise(*shape).astype(dtype) for name, shape in (("X", (3, 4, 2, 5)), ("y", (2, 1)), ("z", (1, 3)))}
    file = tmp_path / "x.mat"
    savemat(file, {**written, "text": "words", "cell": np.array([[1, "a"]], object)}, do_compression=compressed)
    theirs = loadmat(file)
    found = read_mat(file, ("X", "y", "z", "text", "cell"))
    for name in written:
        assert np.array_equal(found[name].values, theirs[name])
        assert (found[name].shape, found[name].values.dtype) == (theirs[name].shape, theirs[name].dtype)
    assert (found["text"].values, found["cell"].values, found["cell"].kind) == (None, None, "cell")
    assert list(read_mat(file, ("y",))) == ["y"]


FUZZED = {
    "mnist": ("train-images-idx3-ubyte.gz", idx_images),
    "cifar10": ("cifar-10-batches-py/data_batch_1", cifar),
    "svhn": ("train_32x32.mat", svhn),
}


@pytest.mark.parametrize("way", ["changed", "cut", "grown"])
@pytest.mark.parametrize("name", FUZZED)
def test_any_damage_is_read_or_refused(tmp_path, name, way):
    """Forty bytes here and there, by a fixed draw; what is not noticed reads as other pixels."""
    tiny_sets.write(name, tmp_path)
    if name == "cifar10":
        tiny_sets.cifar(tmp_path / "data" / name, packed=False)
        (tmp_path / "data" / name / "cifar-10-python.tar.gz").unlink()
    if name == "svhn":
        arrays = {"X": noise(32, 32, 3, 4), "y": np.array([[1], [2], [3], [10]])}
        savemat(tmp_path / "data" / name / "train_32x32.mat", arrays, do_compression=False)
    random = np.random.default_rng(0)
    file = tmp_path / "data" / name / FUZZED[name][0]
    good, named = file.read_bytes(), [] if name == "svhn" else [name]
    for _ in range(40):
        content, at = bytearray(good), int(random.integers(min(len(good), 400)))
        if way == "cut":
            content = content[: random.integers(len(good))]
        else:
            content[at : at + (way == "changed")] = random.bytes(1 if way == "changed" else 3)
        file.write_bytes(content)
        with suppress(DataError):
            assert len(FUZZED[name][1](*named, str(tmp_path / "data" / name), False, False).test[1]) >= 10


@pytest.mark.parametrize("kind", ["published", "tiny"])
def test_verified_files_are_the_published_ones(tmp_path, monkeypatch, kind):
    """The published checksums cannot be met here; with those of the tiny files the same files pass."""
    tiny_sets.mnist(tmp_path)
    if kind == "published":
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz: MD5 \w{8}…, published f68b3c2d…; delete it"):
            idx_images("mnist", str(tmp_path), False, True)
        return
    digest = hashlib.md5
    files = {
        file: known.Published(1, digest((tmp_path / file).read_bytes()).hexdigest())
        for file in known.SETS["mnist"].files
    }
    tiny = known.Known("MNIST", 40, 10, files, {}, known.SETS["mnist"].classes)
    monkeypatch.setitem(known.SETS, "mnist", tiny)
    assert len(idx_images("mnist", str(tmp_path), False, True).targets) == 40
    monkeypatch.setitem(known.SETS, "mnist", known.Known("MNIST", 41, 10, files, {}, tiny.classes))
    with pytest.raises(DataError, match="40 samples, published 41"):
        idx_images("mnist", str(tmp_path), False, True)
