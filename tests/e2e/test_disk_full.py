"""A disk that is full or read-only: one line, exit 4, and the same command goes on once there is room."""

import json
import subprocess
from pathlib import Path

import pytest

from reference import forked

OVERRIDES = ["epochs=12", "checkpoint.seconds=0", "tracking.steps=true", "tracking.model=false", "threads=1"]


def train(root: Path, directory: Path) -> forked.Answer:
    return forked.train(root, [f"hydra.run.dir={directory}", *OVERRIDES])


def digests(directory: Path) -> tuple[str, str]:
    results = json.loads((directory / "results.json").read_text())
    return results["weights_sha256"], results["predictions_sha256"]


def mounted(*arguments: object) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A real file system whose size and rights a test may change."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mounted("-t", "tmpfs", "-o", "size=1400k", "tmpfs", place):
        pytest.skip("mounting a disk of one's own needs more rights")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_a_full_disk(disk, root):
    full = train(root, disk / "run")
    assert full.returncode == 4, full.stderr
    [line] = full.stderr.splitlines()
    assert "No space left on device" in line and str(disk) in line
    before = {path.name for path in (disk / "run" / "checkpoints").glob("*.pt")}
    assert len(before) == 1
    assert mounted("-o", "remount,size=16m", disk)
    again = train(root, disk / "run")
    assert again.returncode == 0, again.stderr
    assert "continued at epoch" in again.stdout
    train(root, root / "whole")
    assert digests(disk / "run") == digests(root / "whole")


def test_a_disk_that_became_read_only(disk, root):
    assert mounted("-o", "remount,size=16m,ro", disk)
    refused = train(root, disk / "run")
    assert refused.returncode == 4, refused.stderr
    [line] = refused.stderr.splitlines()
    assert "Read-only file system" in line
    assert list(disk.iterdir()) == []
    assert mounted("-o", "remount,rw", disk)
    assert train(root, disk / "run").returncode == 0
