"""Two processes that share every minibatch come to what one comes to: real processes, started by torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SETTINGS = ["device=cpu", "precision=64", "threads=1", "epochs=2", "batch_size=64"]
SETTINGS += ["regularization=[early_stopping,l1,max_norm,label_smoothing,gradient_clipping,gradient_noise,ema]"]

pytestmark = pytest.mark.slow


def results(root: Path, launcher: list[str], *overrides: str) -> dict[str, float]:
    command = [*launcher, str(PROJECT / "src" / "train.py"), *SETTINGS, *overrides]
    env = {**os.environ, "DESCENT_ROOT": str(root)}
    answer = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300)
    assert answer.returncode == 0, answer.stderr
    [file] = root.glob("runs/*/*/results.json")
    return json.loads(file.read_text())["metrics"]


@pytest.fixture(scope="module")
def alone_and_shared(tmp_path_factory):
    alone, shared = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("shared")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    return results(alone, [sys.executable]), results(shared, torchrun, "trainer.devices=2"), shared


@pytest.mark.parametrize("metric", ["final/train/loss", "final/val/loss", "best/train/loss", "test/loss"])
def test_the_numbers_are_those_of_one_process(alone_and_shared, metric):
    alone, shared, _ = alone_and_shared
    assert shared[metric] == pytest.approx(alone[metric], rel=1e-9)


def test_one_run_is_tracked(alone_and_shared):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{alone_and_shared[2]}/mlflow.db")
    [run] = client.search_runs([client.get_experiment_by_name("descent").experiment_id])
    assert run.info.status == "FINISHED"
