"""A run that is killed at random moments and given again ends, in the store, as one that nobody killed."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from reference import forked

COMMAND = [
    "model=cnn",
    "regularization=[dropout,batch_norm,early_stopping]",
    "regularization.early_stopping.patience=30",
    "scheduler=plateau",
    "checkpoint.seconds=0",
    "checkpoint.every=7",
    "tracking.steps=true",
    "tracking.model=false",
    "threads=1",
    "dataset.val_fraction=0.05",
]


def whole(root: Path, epochs: int) -> None:
    answer = forked.train(root, [*COMMAND, f"epochs={epochs}", f"hydra.run.dir={root}/run"])
    assert answer.returncode == 0, answer.stderr


def killed_again_and_again(root: Path, epochs: int, kills: int, scratch: Path) -> int:
    """Each sitting lives for a random time after it has begun to say something; returns how many were killed."""
    words = [*COMMAND, f"epochs={epochs}", f"hydra.run.dir={root}/run"]
    moments = random.Random(kills)
    killed = 0
    for _ in range(kills):
        before = size_of(root)
        process = forked.begin(root, words, {"TMPDIR": str(scratch)})
        while size_of(root) == before and process.poll() is None:
            time.sleep(0.01)  # until it says something; nothing is ordered by it
        time.sleep(moments.uniform(0, 1.5))  # the moment of the kill is the randomness under test
        process.process.kill()
        answer = process.answer()
        if answer.returncode == 0:
            break
        assert answer.returncode == -9, answer.stderr
        killed += 1
    answer = forked.train(root, words, {"TMPDIR": str(scratch)})
    assert answer.returncode == 0, answer.stderr
    return killed


def size_of(root: Path) -> int:
    log = root / "run" / "outbox" / "log"
    return log.stat().st_size if log.exists() else 0


def stored(root: Path):
    """The one run, its digests, and every point of every metric that is no time and no memory."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    experiment = client.get_experiment_by_name("descent")
    [run] = client.search_runs([experiment.experiment_id])
    names = [name for name in run.data.metrics if not name.startswith(("time/", "memory/"))]
    series = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    points = {name: sorted((point.step, point.value) for point in found) for name, found in series.items()}
    digests = {name: run.data.tags[name] for name in ("weights_sha256", "predictions_sha256")}
    return run.info.status, digests, points


def same(disturbed, undisturbed) -> None:
    assert disturbed[0] == undisturbed[0] == "FINISHED"
    assert disturbed[1] == undisturbed[1]
    assert disturbed[2].keys() == undisturbed[2].keys()
    for name, points in undisturbed[2].items():
        assert disturbed[2][name] == points, name


@pytest.fixture
def other_file_system():
    """TMPDIR where a rename would be a copy."""
    place = Path("/dev/shm")
    if not place.is_dir():
        pytest.skip("there is no second file system here")
    folder = place / f"descent-{os.getpid()}"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.mark.slow
def test_twenty_five_kills(tmp_path, other_file_system):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole(tmp_path / "whole", epochs=100)
    assert killed_again_and_again(tmp_path / "cut", 100, 25, other_file_system) == 25
    same(stored(tmp_path / "cut"), stored(tmp_path / "whole"))
