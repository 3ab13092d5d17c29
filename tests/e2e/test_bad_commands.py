"""Wrong command lines that are refused before anything heavy is imported."""

import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.bad_commands import TORCH_FREE
from e2e.refusals import PROJECT, Bad, check, names

SOURCE = PROJECT / "src"
TORCHLESS = Path(__file__).with_name("torchless.py")


@pytest.fixture(scope="module")
def answers():
    """All of them from two Pythons that cannot import torch, half of the table each."""
    halves = [TORCH_FREE[::2], TORCH_FREE[1::2]]
    with ThreadPoolExecutor() as pool:
        return {line: answer for half in pool.map(ask, halves) for line, answer in half.items()}


def ask(cases: list[Bad]) -> dict[str, dict[str, Any]]:
    command = [sys.executable, str(TORCHLESS), str(SOURCE)]
    words = [shlex.split(case.line) for case in cases]
    asked = json.dumps([line if line[0].endswith(".py") else ["train.py", *line] for line in words])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(zip((case.line for case in cases), json.loads(done.stdout), strict=True))


def test_the_table_is_long_and_without_repeats():
    lines = [case.line for case in TORCH_FREE]
    assert len(lines) >= 60
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("case", TORCH_FREE, ids=names(TORCH_FREE))
def test_refused_without_torch(answers, case):
    check(case, **answers[case.line])


@pytest.mark.parametrize(
    "case",
    [
        Bad("lrr=1", "lrr", "lr"),
        Bad("model=mpl", "model", "mlp"),
        Bad("-m lr=0.1,-1", "lr"),
        Bad("--foo", "unrecognized arguments"),
        Bad("batch_size=5000", "batch_size"),
    ],
    ids=str,
)
def test_refused_in_a_process_of_its_own(run_command, tmp_path, case):
    done = run_command(shlex.split(case.line))
    check(case, done.returncode, done.stdout, done.stderr, left=list(tmp_path.iterdir()))


def test_the_tree_is_left_alone_when_no_root_is_set(run_command):
    before = {path for path in PROJECT.iterdir() if path.name not in ("runs", "sweeps", "mlflow.db", "mlruns")}
    runs = {path: sorted(path.rglob("*")) for path in (PROJECT / "runs", PROJECT / "sweeps")}
    done = run_command(["lr=-1"], {"DESCENT_ROOT": str(PROJECT)})
    assert done.returncode == 2
    assert before <= set(PROJECT.iterdir())
    assert {path: sorted(path.rglob("*")) for path in runs} == runs


def test_debug_shows_where_it_came_from(run_here, monkeypatch):
    monkeypatch.setenv("DESCENT_DEBUG", "1")
    answer = run_here(["lr=-1"])
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert "lr: got -1" in answer.err.splitlines()[-1]
