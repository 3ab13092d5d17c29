"""Two processes, one seed: one digest, however the work was cut and read."""

import json

import pytest

from reference import forked

NOISY = "regularization=[dropout,batch_norm,early_stopping]"
COMMON = ["tracking=none", "epochs=3", "threads=1", "scheduler=cosine", NOISY]
VARIANTS = {
    "chunks of 7": ["loader.chunk=7"],
    "two workers": ["loader.stream=true", "loader.workers=2"],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    def run(name):
        directory = tmp_path_factory.mktemp("run")
        answer = forked.train(directory, [*COMMON, *VARIANTS[name], f"hydra.run.dir={directory}/run"])
        assert answer.returncode == 0, answer.stderr
        return json.loads((directory / "run" / "results.json").read_text())

    return {name: run(name) for name in VARIANTS}


def test_the_same_seed_is_the_same_run(results):
    one, other = results.values()
    for name in ("weights_sha256", "predictions_sha256"):
        assert one[name] == other[name]
    metrics, others = (
        {name: value for name, value in result["metrics"].items() if not name.startswith("time/")}
        for result in (one, other)
    )
    assert metrics == others and len(metrics) > 10
