"""Datasets in files, trained by the real command on a few samples in the real formats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from descent.assembly import load
from e2e.test_bad_files import SHORT, own
from reference import tiny_sets
from reference.tiny_sets import CIFAR100


class Way(NamedTuple):
    """How good files are written, and what the run must know of them."""

    write: Callable[[Path], Any]
    dataset: str
    counts: list[int]  # of the splits


WAYS = {
    "mnist": Way(tiny_sets.mnist, "mnist", [36, 4, 10]),
    "mnist unpacked": Way(lambda root: tiny_sets.mnist(root, packed=False), "mnist", [36, 4, 10]),
    "fashion_mnist": Way(tiny_sets.mnist, "fashion_mnist", [36, 4, 10]),
    "kmnist": Way(tiny_sets.mnist, "kmnist", [36, 4, 10]),
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
