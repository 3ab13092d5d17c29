"""Questions are answered without torch, and nothing is left of them."""

import os
import shlex

import pytest

from descent.composition import groups

OPTIMIZERS = ", ".join(groups()["optimizer"])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--help", ["python src/train.py", f"optimizer: {OPTIMIZERS}", "Exit codes: 2 usage"]),
        ("--cfg job", ["lr: 0.001", "hidden:", "allowed:"]),
        ("--cfg job optimizer=sgd", ["lr: 0.1"]),
        ("--hydra-help", ["--multirun"]),
    ],
)
def test_a_question_is_answered(run_here, tmp_path, line, shown):
    answer = run_here(shlex.split(line))
    assert (answer.code, answer.err) == (0, "")
    for part in shown:
        assert part in answer.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("optimizer=ad", {"optimizer=adam", "optimizer=adamw"}),
        ("batch_s", {"batch_size="}),
        ("model=cnn model.ch", {"model.channels."}),
    ],
)
def test_tab_completes(run_command, typed, offered):
    line = f"train.py {typed}"
    done = run_command(["-sc", "query=bash"], {"COMP_LINE": line, "COMP_POINT": str(len(line)), "TERM": "dumb"})
    assert (done.returncode, done.stderr) == (0, "")
    assert offered <= set(done.stdout.split())


def test_the_environment_is_as_before(run_here):
    before = dict(os.environ)
    run_here(["lr=-1"])
    assert {**os.environ, "HYDRA_FULL_ERROR": ""} == {**before, "HYDRA_FULL_ERROR": ""}
