"""Datasets in files, trained by the real command on a few samples in the real formats."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from descent.assembly import load
from descent.data import known
from e2e.refusals import PROJECT
from e2e.test_bad_files import SHORT, own
from reference import tiny_sets
from reference.answers import answering
from reference.tiny_sets import CIFAR100

PREPARE = PROJECT / "src" / "prepare.py"


class Way(NamedTuple):
    """How good files are written, and what the run must know of them."""

    write: Callable[[Path], Any]
    dataset: str
    counts: list[int]  # of the splits


WAYS = {
    "mnist": Way(tiny_sets.mnist, "mnist", [36, 4, 10]),
    "cifar10": Way(tiny_sets.cifar, "cifar10", [90, 10, 20]),
    "cifar10 unpacked": Way(lambda root: tiny_sets.cifar(root, packed=False), "cifar10", [90, 10, 20]),
    "cifar100": Way(lambda root: tiny_sets.cifar(root, CIFAR100), "cifar100", [18, 2, 20]),
    "svhn": Way(tiny_sets.svhn, "svhn", [36, 4, 10]),
    "folder": Way(tiny_sets.images, "image_folder", [20, 2, 2]),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_good_files_are_trained_on(tmp_path, run_here, composed, way):
    way.write(tmp_path / "data" / way.dataset)
    data = load(composed(*own(way.dataset)))
    assert [len(split) for split in (data.train, data.val, data.test)] == way.counts
    answer = run_here([*own(way.dataset), *SHORT, "batch_size=10", "hydra.run.dir=out"])
    assert (answer.code, answer.err) == (0, "")
    losses = np.load(tmp_path / "out" / "loss_per_step.npy")
    assert len(losses) == -(-way.counts[0] // 10) >= 2
    assert np.isfinite(losses).all()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A tiny CIFAR-10 that its authors would have published."""
    tiny_sets.cifar(tmp_path / "published")
    content = (tmp_path / "published" / "cifar-10-python.tar.gz").read_bytes()
    published = known.Published(len(content), hashlib.md5(content).hexdigest())
    tiny = replace(known.SETS["cifar10"], files={"cifar-10-python.tar.gz": published})
    monkeypatch.setitem(known.SETS, "cifar10", tiny)
    return content


DOWNLOAD = [*own("cifar10"), *SHORT, "dataset.download=true"]


def test_what_is_missing_is_downloaded_and_trained_on(tmp_path, run_here, archive, monkeypatch):
    with answering(archive) as server:
        monkeypatch.setattr(CIFAR10, "url", server.at("good"))
        answer = run_here([*DOWNLOAD, "dataset.root=here"])
        assert (answer.code, answer.err) == (0, "")
        assert [(file.name, file.read_bytes()) for file in (tmp_path / "here").iterdir()] == [
            ("cifar-10-python.tar.gz", archive)
        ]
        assert run_here([*DOWNLOAD, "dataset.root=here"]).code == 0
    assert server.asked == ["good"]


def test_what_was_downloaded_to_be_prepared_is_trained_on(tmp_path, run_here, archive, monkeypatch):
    with answering(archive) as server:
        monkeypatch.setattr(CIFAR10, "url", server.at("good"))
        said = run_here([*own("cifar10"), "dataset.download=true"], script=PREPARE)
    assert (said.code, said.err) == (0, "")
    answer = run_here([*own("cifar10"), *SHORT])
    assert (answer.code, answer.err) == (0, "")


def test_prepared_images_whose_classes_have_changed_are_noticed(tmp_path, run_here):
    photos = tmp_path / "data" / "image_folder"
    tiny_sets.images(photos)
    assert run_here(own("image_folder"), script=PREPARE).code == 0
    one, other = [sorted(folder.iterdir())[0] for folder in sorted(photos.iterdir())[:2]]
    moved = one.rename(other.with_name(f"moved{one.suffix}"))
    other.rename(one)
    moved.rename(other)
    answer = run_here([*own("image_folder"), *SHORT])
    assert (answer.code, answer.err.count("\n")) == (3, 1)
    assert "was made from files that have changed since" in answer.err


@pytest.mark.parametrize("way", ["corrupt", "missing", "nobody"])
def test_what_does_not_arrive_is_said_in_one_line(tmp_path, run_here, archive, monkeypatch, way):
    with answering(archive) as server:
        monkeypatch.setattr(CIFAR10, "url", server.at(way) if way != "nobody" else "http://127.0.0.1:1/file")
        answer = run_here(DOWNLOAD)
    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
    assert re.search(r"data/cifar10/cifar-10-python.tar.gz: cannot be downloaded: .*; put it there by hand", answer.err)
    assert [one.name for one in tmp_path.iterdir()] == ["published"]


def test_a_grid_over_missing_files_leaves_nothing(tmp_path, run_here):
    answer = run_here(["-m", *own("mnist"), *SHORT, "seed=1,2"])
    assert (answer.code, answer.err.count("\n")) == (3, 1)
    assert "train-images-idx3-ubyte.gz: missing" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_where_the_files_are_makes_no_other_training(tmp_path, run_here):
    tiny_sets.mnist(tmp_path / "data" / "mnist")
    tiny_sets.mnist(tmp_path / "elsewhere")
    command = [*own("mnist"), *SHORT, "hydra.run.dir=out"]
    assert run_here(command).code == 0
    again = run_here([*command, "dataset.root=elsewhere", "dataset.download=true"])
    assert (again.code, again.err) == (0, "")
    assert [one for one in (tmp_path / "out").iterdir() if one.name == "earlier"] == []


@pytest.mark.parametrize("way", [[], ["loader.stream=true", "loader.workers=1"]])
def test_images_in_a_file_are_trained_on_to_the_same_bits(tmp_path, run_here, way):
    tiny_sets.images(tmp_path / "data" / "image_folder")
    command = [*own("image_folder"), *SHORT, "batch_size=7", "epochs=2"]
    for name, more in (("memory", ["dataset.in_memory=true"]), ("file", ["dataset.in_memory=false", *way])):
        assert run_here([*command, *more, f"hydra.run.dir={name}"]).code == 0
    weights = [
        json.loads((tmp_path / name / "results.json").read_text())["weights_sha256"] for name in ("memory", "file")
    ]
    assert weights[0] == weights[1]
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["image_folder"]


@pytest.mark.parametrize("dataset", ["image_folder", "cifar10"])
def test_prepared_files_are_streamed_to_the_same_bits(tmp_path, run_here, dataset):
    tiny_sets.write(dataset, tmp_path)
    unpacked = ["dataset.in_memory=false"] if dataset == "image_folder" else []
    train = [*own(dataset), *SHORT, "batch_size=7"]
    assert run_here([*train, "hydra.run.dir=before"]).code == 0
    said = run_here([*own(dataset), *unpacked], script=PREPARE)
    assert (said.code, said.err) == (0, "")
    assert run_here([*train, "loader.stream=true", "hydra.run.dir=after"]).code == 0
    results = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("before", "after")]
    assert results[0]["weights_sha256"] == results[1]["weights_sha256"]
    assert results[0]["predictions_sha256"] == results[1]["predictions_sha256"]
    arrays = list((tmp_path / "data" / "prepared" / dataset).glob("*/train_inputs.npy"))
    assert np.load(arrays[0], mmap_mode="r").dtype == np.uint8
    arrays[0].write_bytes(arrays[0].read_bytes()[:-1] + b"\xff\x00")
    damaged = run_here([*train, "hydra.run.dir=damaged"])
    assert (damaged.code, damaged.err.count("\n")) == (3, 1)
    assert "train_inputs.npy" in damaged.err
