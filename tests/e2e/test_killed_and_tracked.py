"""A run that is killed at random moments and given again ends, in the store, as one that nobody killed."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
COMMAND = [
    sys.executable,
    str(PROJECT / "src" / "train.py"),
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


def environment(root: Path, scratch: Path | None) -> dict[str, str]:
    env = {**os.environ, "DESCENT_ROOT": str(root)} | ({"TMPDIR": str(scratch)} if scratch else {})
    env.pop("MLFLOW_TRACKING_URI", None)
    return env


def whole(root: Path, epochs: int) -> None:
    command = [*COMMAND, f"epochs={epochs}", f"hydra.run.dir={root}/run"]
    answer = subprocess.run(command, cwd=root, env=environment(root, None), capture_output=True, text=True, timeout=400)
    assert answer.returncode == 0, answer.stderr


def killed_again_and_again(root: Path, epochs: int, kills: int, scratch: Path) -> int:
    """Each sitting lives for a random time after it has begun to say something; returns how many were killed."""
    command = [*COMMAND, f"epochs={epochs}", f"hydra.run.dir={root}/run"]
    moments = random.Random(kills)
    killed = 0
    for _ in range(kills):
        before = size_of(root)
        process = subprocess.Popen(
            command, cwd=root, env=environment(root, scratch), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while size_of(root) == before and process.poll() is None:
            time.sleep(0.01)  # until it says something; nothing is ordered by it
        time.sleep(moments.uniform(0, 1.5))  # the moment of the kill is the randomness under test
        process.kill()
        said = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -9, said
        killed += 1
    answer = subprocess.run(
        command, cwd=root, env=environment(root, scratch), capture_output=True, text=True, timeout=400
    )
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
