"""`python src/compare.py runs=a,b` on two real runs."""

import shutil
from pathlib import Path

import pytest

COMPARE = Path(__file__).parents[2] / "src" / "compare.py"
SMALL = ["epochs=2", "model.hidden=[8]", "tracking=none"]


@pytest.fixture
def two(run_here, tmp_path):
    for name, words in {"a": [], "b": ["seed=1"]}.items():
        assert run_here([*SMALL, *words, f"name={name}", f"hydra.run.dir={tmp_path}/runs/{name}"]).code == 0
    return tmp_path / "runs"


def test_two_runs_and_what_is_wrong_with_them(two, run_here, tmp_path):
    answer = run_here(["runs=a,b"], COMPARE)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[2].startswith("DIFFERENT: from step 1 (epoch 1) on: loss ")
    assert lines[-2:] == ["probable cause:", "  seed: seed 0 → 1"]
    same = run_here(["runs=a,a"], COMPARE).out.splitlines()[2:]
    assert len(same) == 1
    assert same[0].startswith("IDENTICAL: weights, predictions, 12 metrics at 2 epochs, the loss at 90 steps, ")

    refused = {
        "runs=a": (2, "runs: got a, allowed two runs; "),
        "runs=a,none": (2, "runs: got none, allowed "),
        f"runs=a,{tmp_path}": (2, "runs: got "),
    }
    for word, (code, line) in refused.items():
        answer = run_here([word], COMPARE)
        assert (answer.code, answer.out) == (code, "") and answer.err.startswith(line), word

    shutil.copytree(two / "b", two / "c")
    (two / "c" / "loss_per_step.npy").write_bytes(b"no array")
    answer = run_here([f"runs={two / 'a'},{two / 'c'}"], COMPARE)
    assert answer.code == 3 and "loss_per_step.npy: damaged" in answer.err
    (two / "c" / "history.json").unlink()
    answer = run_here([f"runs={two / 'a'},{two / 'c'}"], COMPARE)
    assert answer.code == 3 and "history.json: not there" in answer.err
