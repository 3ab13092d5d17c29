"""Two processes, one seed: one digest, however the work was cut and read."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

TRAIN = Path(__file__).parents[2] / "src" / "train.py"
NOISY = "regularization=[dropout,batch_norm,early_stopping]"
COMMON = ["tracking=none", "epochs=3", "threads=1", "scheduler=cosine", NOISY]
VARIANTS = {
    "chunks of 7": ["loader.chunk=7"],
    "two workers": ["loader.stream=true", "loader.workers=2"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Both at once: there are two cores."""

    def run(name):
        directory = tmp_path_factory.mktemp("run")
        command = [sys.executable, str(TRAIN), *COMMON, *VARIANTS[name], f"hydra.run.dir={directory}/run"]
        environment = {**os.environ, "DESCENT_ROOT": str(directory)}
        subprocess.run(command, env=environment, cwd=directory, check=True, capture_output=True, timeout=300)
        return json.loads((directory / "run" / "results.json").read_text())

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(VARIANTS, pool.map(run, VARIANTS), strict=True))


def test_the_same_seed_is_the_same_run(results):
    one, other = results.values()
    for name in ("weights_sha256", "predictions_sha256"):
        assert one[name] == other[name]
    metrics, others = (
        {name: value for name, value in result["metrics"].items() if not name.startswith("time/")}
        for result in (one, other)
    )
    assert metrics == others and len(metrics) > 10
