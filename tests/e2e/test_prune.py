"""`python src/prune.py`: what nothing points to is shown with its size and goes when that is said, and nothing else."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import mlflow
import psutil
import pytest

from conftest import PROJECT
from descent.ownership import this_process

PRUNE = PROJECT / "src" / "prune.py"
SMALL = ["dataset=iris", "model.hidden=[4]", "epochs=1", "tracking.pictures=false"]
MONTHS = 90 * 24 * 3600


def aged(directory):
    """As if nobody had touched it for three months."""
    for path in (*directory.rglob("*"), directory):
        os.utime(path, (path.stat().st_mtime - MONTHS,) * 2)
    return directory


def edited(directory, **changes):
    said = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**said, **changes}))


def names(answer):
    """The directories that were listed."""
    return {line.split()[2].removeprefix("runs/") for line in answer.out.splitlines() if "  runs/" in line}


def size_of(directory):
    return sum(file.lstat().st_blocks * 512 for file in directory.rglob("*") if file.is_file())


@pytest.fixture
def project(run_here, tmp_path):
    """A run of each kind."""
    runs = tmp_path / "runs"
    words = {"tracked": [], "deleted": [], "named": ["register=iris"], "out": [], "free": ["tracking=none"]}
    words["out"] = ["lr=0.02", "outputs=outputs/train"]
    for seed, (name, more) in enumerate(words.items()):
        answer = run_here([*SMALL, *more, f"seed={seed}", f"hydra.run.dir={runs}/{name}"])
        assert answer.code == 0, answer.err
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    for name in ("deleted", "named", "out"):
        client.delete_run(json.loads((runs / name / "outbox" / "shipped.json").read_text())["run_id"])
    for name in ("held", "aside"):
        shutil.copytree(runs / "deleted", runs / name)
    parent = psutil.Process(os.getppid())
    owner = {**asdict(this_process()), "pid": parent.pid, "started": parent.create_time()}
    (runs / "held" / "owner.json").write_text(json.dumps(owner))
    shutil.move(runs / "aside", runs / "tracked" / "earlier" / "0")
    for name in ("cut", "free-old", "cut-old"):
        shutil.copytree(runs / "free", runs / name)
        if name.startswith("cut"):
            edited(runs / name, state="unfinished")
    shutil.copytree(runs / "deleted", runs / "server-old")
    edited(runs / "server-old", where="http://server:5000 run 1")
    for name in ("free-old", "cut-old", "server-old"):
        aged(runs / name)
    return runs


GO = {"deleted", "free-old", "cut-old", "tracked/earlier/0"}


@pytest.mark.slow
def test_what_nothing_points_to_goes_and_nothing_else(project, run_here, monkeypatch):
    everything = {path.name for path in project.iterdir()}
    shown = run_here([], PRUNE)
    assert shown.code == 0 and names(shown) == GO, shown.out + shown.err
    assert "runs/deleted  (deleted in the tracking store)" in shown.out
    assert "runs/cut-old  (old and unfinished)" in shown.out and "runs/free-old  (old and never tracked)" in shown.out
    total = sum(size_of(project / name) for name in GO) / 1e3
    assert f"{total:.3g} kB  in 4 directories" in shown.out and "nothing was removed; yes=true does it" in shown.out
    assert {path.name for path in project.iterdir()} == everything
    assert names(run_here(["days=0"], PRUNE)) == GO | {"cut", "free"}
    assert "nothing was removed" in run_here(["yes=ask"], PRUNE).out  # there is no terminal
    master, slave = os.openpty()
    os.write(master, b"y\n")
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        removed = run_here(["yes=ask"], PRUNE)
    os.close(master)
    assert removed.code == 0 and removed.out.splitlines()[-1].endswith(f"freed {total:.3g} kB")
    assert {path.name for path in project.iterdir()} == everything - GO
    assert not (project / "tracked" / "earlier").exists() and (project / "held" / "run.json").exists()
    assert run_here([], PRUNE).out.startswith("nothing to remove")
    told = run_here(["checkpoints=true", "yes=true"], PRUNE)
    assert names(told) == {f"{name}/checkpoints" for name in ("tracked", "named", "out", "free", "server-old")}
    assert (project / "tracked" / "weights.safetensors").exists() and (project / "cut" / "checkpoints").exists()
    (project / ".pruned-1a2b").mkdir()
    assert names(run_here(["yes=true"], PRUNE)) == {".pruned-1a2b"} and not (project / ".pruned-1a2b").exists()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["days=-1"], 2, "days: got -1, allowed float [0, inf)"),
        (["yes=perhaps"], 2, "yes: got perhaps, allowed true | false | ask"),
        (["all=true"], 2, "all: unknown key; allowed days checkpoints yes tracking.uri"),
    ],
)
def test_a_wrong_word_is_one_line(words, code, line, run_here, tmp_path):
    answer = run_here(words, PRUNE)
    assert (answer.code, answer.out) == (code, "") and answer.err.startswith(line) and answer.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_asked_removes_nothing(run_here, tmp_path):
    run = aged_copy(run_here, tmp_path)
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    answer = run_here(["yes=true"], PRUNE)
    assert answer.code == 4 and answer.err.startswith("tracking: ") and answer.err.count("\n") == 1
    assert (run / "run.json").exists()


def aged_copy(run_here, tmp_path) -> Path:
    assert run_here([*SMALL, "tracking=none", f"hydra.run.dir={tmp_path}/runs/old"]).code == 0
    return aged(tmp_path / "runs" / "old")


def test_without_a_store_none_is_made(run_here, tmp_path):
    run = aged_copy(run_here, tmp_path)
    answer = run_here(["yes=true"], PRUNE)
    assert answer.code == 0 and not run.exists() and list(tmp_path.iterdir()) == []
