"""A stage of a pipeline knows its project, its directory and whom it dies with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descent import stages


@pytest.fixture
def in_dvc(monkeypatch, tmp_path):
    for name in ("DESCENT_WORKSPACE", "DVC_EXP_NAME", "DVC_ROOT", "DVC_STAGE", "DESCENT_ROOT"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.mark.parametrize(
    ("copy", "root", "workspace"),
    [
        (".", ".", None),
        (".dvc/tmp/exps/tmpa1b2", ".", ".dvc/tmp/exps/tmpa1b2"),
        ("elsewhere", "elsewhere", None),
    ],
)
def test_a_copy_of_dvcs_belongs_to_the_project(copy, root, workspace, in_dvc, tmp_path):
    stages.begin(tmp_path / copy / "src" / "train.py")
    assert Path(os.environ["DESCENT_ROOT"]) == tmp_path / root
    assert os.environ.get("DESCENT_WORKSPACE") == (workspace and str(tmp_path / workspace))


@pytest.mark.parametrize(
    ("given", "multirun", "words"),
    [
        (["outputs=o"], False, ["hydra.run.dir='{root}/runs/pipeline/train-a-1'"]),
        (["outputs=o", "lr=1,2"], True, ["hydra.sweep.dir='{root}/sweeps/pipeline/train-a-1'"]),
        (["outputs=o", "hydra.run.dir=x"], False, []),
        (["outputs=o", "search=tpe", "study=x"], True, []),
        (["lr=1"], False, []),
    ],
    ids=str,
)
def test_the_directory_of_a_stage(given, multirun, words, in_dvc, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_STAGE", "train@a/1")
    monkeypatch.setenv("DESCENT_ROOT", str(tmp_path))
    assert stages.place_of(given, multirun) == [word.format(root=tmp_path) for word in words]
    monkeypatch.delenv("DVC_STAGE")
    assert stages.place_of(given, multirun) == []


def test_a_search_is_named_by_what_it_is(in_dvc, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "sweep")
    names = {tuple(stages.place_of(["outputs=o", "search=tpe", lr], True)) for lr in ("lr=1,2", "lr=1,3", "lr=1,2")}
    assert len(names) == 2
    assert all(name[0].startswith("study=sweep-") for name in names)


def test_an_experiment_in_a_copy_has_a_directory_of_its_own(in_dvc, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setenv("DVC_EXP_NAME", "red-fox")
    monkeypatch.setenv("DESCENT_ROOT", str(tmp_path))
    monkeypatch.setenv("DESCENT_WORKSPACE", str(tmp_path / "copy"))
    assert stages.place_of(["outputs=o"], False) == [f"hydra.run.dir='{tmp_path}/runs/pipeline/red-fox-train'"]


STARTED = """
import sys
sys.path.insert(0, {src!r})
from descent.lifeline import die_with_starter
die_with_starter("dvc")
print("here", flush=True)
sys.stdin.read()
"""
STARTER = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(60)"


@pytest.mark.parametrize(
    "shell", [[], ["sh", "-c"], ["sh", "-c", "{}; true"]], ids=["itself", "shell", "shell that waits"]
)
def test_what_a_killed_program_started_is_gone(shell, tmp_path):
    """The pipe ends when the last process that holds it has gone."""
    script = tmp_path / "started.py"
    script.write_text(STARTED.format(src=str(Path(stages.__file__).parents[1])))
    command = [sys.executable, str(script)]
    if shell:
        line = " ".join(command)
        command = [*shell[:2], shell[2].format(line) if shell[2:] else line]
    starter = subprocess.Popen([sys.executable, "-c", STARTER, *command], stdout=subprocess.PIPE, text=True)
    assert starter.stdout.readline() == "here\n"
    starter.kill()
    assert starter.stdout.read() == ""
    starter.wait()
