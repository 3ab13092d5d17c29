"""Searches of every kind, each a study of its own: pruned, repeated, failing, with several aims, killed, refused."""

import json
import os
import shutil
import signal
import time

import psutil
import pytest

from descent import ownership
from e2e.searches import PROJECT, SEVERAL, SMALL, TINY, run, runs_of
from reference import forked


@pytest.mark.slow
def test_pruning_saves_epochs(tmp_path):
    words = ["-m", "search=random", "pruner=threshold", "pruner.lower=2", "lr=tag(log,interval(1e-3,1e-1))"]
    answer = run(tmp_path, *words, "n_trials=2", *TINY)
    states = {one.data.tags.get("trial_state") for one in runs_of(tmp_path) if one.data.tags["role"] != "study"}
    assert states == {"PRUNED"}
    assert "pruning saved 4 epochs in 2 trials" in answer.stdout
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("pruner", "kept"), [("median", 1), ("wilcoxon", 4)])
def test_seeds_of_a_trial_that_falls_behind_are_saved(tmp_path, pruner, kept):
    words = ["-m", "search=grid", "lr=0.1,1e-7", "seeds=6", "study=seeds", "objective=val/loss", "direction=minimize"]
    words += [f"pruner={pruner}", *(["pruner.trials=1"] if pruner == "median" else [])]
    answer = run(tmp_path, *words, *TINY, "epochs=2")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"pruning saved {6 - kept} repeats in 1 trials" in answer.stdout
    folder = tmp_path / "sweeps" / "seeds"
    each = [json.loads((folder / "0" / str(seed) / "results.json").read_text())["objective"] for seed in range(6)]
    assert f"{sum(each) / 6:.4f}" in answer.stdout
    assert {path.name for path in (folder / "1").iterdir() if path.name.isdigit()} == set(map(str, range(kept)))
    found = {one.data.tags["run_directory"]: one for one in runs_of(tmp_path) if "run_directory" in one.data.tags}
    pruned = found[str(folder / "1")]
    assert (pruned.info.status, pruned.data.tags["trial_state"]) == ("FINISHED", "PRUNED")
    assert pruned.data.metrics["best/val/loss/n"] == kept
    repeats = [one for one in found.values() if one.data.tags.get("mlflow.parentRunId") == pruned.info.run_id]
    assert len(repeats) == kept and {one.info.status for one in repeats} == {"FINISHED"}


@pytest.mark.slow
def test_folds_and_a_measured_rate_in_a_search_and_its_winner_on_everything(tmp_path):
    words = ["-m", "search=grid", "optimizer.momentum=0.5,0.9", "optimizer=momentum", "lr=find", "folds=2"]
    answer = run(tmp_path, *words, "search.refit=true", "study=both", *TINY, "epochs=2")
    assert (answer.returncode, answer.stderr) == (0, "")
    folder = tmp_path / "sweeps" / "both"
    for number in "01":
        assert {path.name for path in (folder / number).iterdir() if path.name.isdigit()} == {"0", "1"}
    best = json.loads((folder / "best" / "results.json").read_text())
    assert "test/accuracy" in best["metrics"] and "best/val/accuracy" not in best["metrics"]
    (tested,) = [one for one in runs_of(tmp_path) if any(key.startswith("test/") for key in one.data.metrics)]
    assert json.loads(tested.data.params["folds"]) == 1


@pytest.mark.slow
def test_the_best_command_keeps_a_thread_that_was_asked_for(tmp_path):
    words = ["-m", "search=grid", "lr=0.1,1e-1", "n_trials=1", *TINY, "epochs=1", "tracking=none"]
    given, own = run(tmp_path, *words, "threads=1", "study=given"), run(tmp_path, *words, "study=own")
    assert ["threads=1" in answer.stdout for answer in (given, own)] == [True, False]


GREEDY = """
import torch
from torch import nn


class Greedy(nn.Sequential):
    def __init__(self, input_shape, outputs, most):
        super().__init__(nn.Flatten(), nn.Linear(input_shape[0], outputs))
        self.most = most

    def forward(self, inputs):
        if self.training and len(inputs) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(inputs)
"""
GREEDY_YAML = """
_target_: greedy.Greedy
most: 1000
allowed:
  most: int [1, inf)
"""


@pytest.mark.slow
def test_a_trial_without_memory_is_tried_once_more_with_half_the_minibatch(tmp_path, monkeypatch):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "greedy.yaml").write_text(GREEDY_YAML)
    (tmp_path / "greedy.py").write_text(GREEDY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = ["-m", "--config-dir", str(tmp_path / "conf"), "search=grid", "model.most=12,4", "model=greedy"]
    answer = run(tmp_path, *words, *SMALL, "dataset.shape=[6]", "study=memory")
    assert answer.returncode == 0, answer.stderr
    assert "1 finished, 1 failed" in " ".join(sorted(answer.stdout.splitlines()[-20:]))
    (line,) = answer.stderr.splitlines()
    assert line.startswith("failed: [") and "model.most=4" in line and "out of memory" in line
    said = (tmp_path / "sweeps" / "memory" / "logs" / "0.log").read_text()
    assert said.count("out of memory: once more with batch_size=12 accumulate=2") == 1
    (command,) = [line for line in answer.stdout.splitlines() if line.strip().startswith("python src/train.py")]
    assert "batch_size=12 accumulate=2" in command and "batch_size=24" not in command
    found = [one for one in runs_of(tmp_path) if one.data.tags.get("out_of_memory")]
    states = [(one.info.status, one.data.params["batch_size"], one.data.params["accumulate"]) for one in found]
    assert sorted(states) == [("FAILED", "12", "2"), ("FINISHED", "12", "2")]


@pytest.mark.slow
def test_a_failing_trial_is_said_and_the_others_go_on(tmp_path):
    words = ["-m", "search=grid", "lr=1e-2,1e30", "optimizer=sgd", "n_trials=2", "loss=mse"]
    answer = run(tmp_path, *words, *TINY, "tracking=none")
    assert answer.returncode == 0
    (line,) = answer.stderr.splitlines()
    assert line.startswith("failed: [") and "lr=1e+30" in line and "loss" in line
    assert "1 finished, 1 failed" in answer.stdout


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Accuracy against size: a grid of six, of which no run is trained again."""
    root = tmp_path_factory.mktemp("several")
    words = ["-m", "search=grid", "model.hidden=[2],[8],[24]", "lr=0.001,0.1", "study=sizes"]
    answer = run(root, *words, "objective=[val/accuracy,model/parameters]", "direction=[maximize,minimize]", *SMALL)
    assert (answer.returncode, answer.stderr) == (0, "")
    return root, answer


def front_of(root):
    """From what the trials left, point against point."""
    found = {}
    for number in range(6):
        metrics = json.loads((root / "sweeps" / "sizes" / str(number) / "results.json").read_text())["metrics"]
        found[number] = metrics["best/val/accuracy"], -metrics["model/parameters"]
    beaten = {
        one
        for one, own in found.items()
        if any(other != own and other[0] >= own[0] and other[1] >= own[1] for other in found.values())
    }
    return found, set(found) - beaten


@pytest.mark.slow
def test_several_objectives_end_in_a_front(several):
    root, answer = several
    values, expected = front_of(root)
    (parent,) = [one for one in runs_of(root) if one.data.tags.get("role") == "study"]
    assert {int(number) for number in parent.data.tags["front"].split()} == expected
    assert parent.data.metrics["front/points"] == len(expected)
    assert parent.data.metrics["best/val/accuracy"] == max(value for value, _ in values.values())
    assert parent.data.metrics["best/model/parameters"] == -max(value for _, value in values.values())
    assert "Pareto front" in answer.stdout


@pytest.mark.slow
def test_each_point_of_the_front_has_a_command_and_none_is_tested(several):
    root, answer = several
    commands = [line for line in answer.stdout.splitlines() if line.strip().startswith("python src/train.py")]
    assert len(commands) == len(front_of(root)[1])
    assert all("objective=val/accuracy direction=maximize" in line for line in commands)
    found = runs_of(root)
    assert len(found) == 7
    assert not [one for one in found if any(key.startswith("test/") for key in one.data.metrics)]


def until(done, process, seconds=120):
    """Wait for something that a process does."""
    deadline = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_workers_and_leaders_lose_nothing(tmp_path):
    """Both are killed in the middle; the same command ends with every trial once."""
    words = ["-m", "search=random", "lr=tag(log,interval(1e-3,1e-1))", "n_trials=6", "workers=2", "study=killed"]
    words += [*TINY, "epochs=40", "checkpoint.seconds=0"]
    leader = forked.begin(tmp_path, words)
    study = tmp_path / "sweeps" / "killed"
    deadline = time.monotonic() + 120
    while not (study / "1" / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    leader.send_signal(signal.SIGKILL)
    leader.answer()
    answer = run(tmp_path, *words)
    assert answer.returncode == 0, answer.stderr
    assert "6 finished" in answer.stdout
    found = [one for one in runs_of(tmp_path) if one.data.tags.get("role") != "study"]
    assert len(found) == 7
    assert {one.info.status for one in found} == {"FINISHED"}


def test_a_dry_run_prices_the_search_and_writes_nothing(run_here, tmp_path):
    answer = run_here(["-m", "search=random", "lr=0.1,0.2", "n_trials=30", "workers=2", "dry_run=true", *TINY])
    assert answer.code == 0
    assert "dry run of a search, the ends of its space" in answer.out
    assert "30 trials of" in answer.out and "with workers=2" in answer.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["n_trials=3"], "n_trials: got 3, allowed nothing without -m"),
        (["-m", "seed=1,2", "n_trials=3"], "n_trials: got 3, allowed with search=…"),
        (["-m", "search=tpe", "lr=interval(1,1)"], "lr: got interval(1,1), allowed a low below its high"),
        (["-m", "search=tpe", "lr=tag(log,interval(0,1))"], "lr: got a logarithmic interval from 0"),
        (["-m", "search=grid", "lr=interval(0.1,1)"], "lr: got float [0.1, 1], allowed values or a step"),
        (["-m", "search=gp", "optimizer=sgd,adam"], "search: got gp, allowed random | tpe"),
        (["-m", "search=tpe", "n_trials=0", "lr=0.1,0.2"], "n_trials: got 0, allowed int [1, inf)"),
        (["-m", "search=tpe", "workers=0", "lr=0.1,0.2"], "workers: got 0, allowed int [1, 1024]"),
        (["-m", "search=tpe", "search.patience=0", "lr=0.1,0.2"], "search.patience: got 0"),
        (["-m", "search=tpe", "search.patiense=3", "lr=0.1,0.2"], "search.patiense: unknown key"),
        (["-m", "search=tpee", "lr=0.1,0.2"], "search: got tpee, allowed"),
        (["-m", "search=tpe", "pruner=medianne", "lr=0.1,0.2"], "pruner: got medianne, allowed"),
        (["-m", "search=tpe", "lrr=interval(0.1,1)"], "lrr: unknown key"),
        (
            ["-m", "search=tpe", "optimizer=adam", "optimizer.momentum=interval(0.1,0.9)"],
            "optimizer.momentum: unknown key",
        ),
        (["-m", "search=tpe", "lr=interval(-1,1)"], "lr: got -1"),
        (["-m", "search=tpe", "n_trials=3,4", "lr=0.1,0.2"], "n_trials: got several values, allowed one"),
        (["-m", "space=mlp"], "search: got nothing, allowed grid | random"),
        (["objective=[val/loss,val/accuracy]"], "objective: got [val/loss,val/accuracy], allowed one metric without"),
        (
            ["-m", "seed=0,1", "objective=[val/loss,val/accuracy]"],
            "objective: got [val/loss,val/accuracy]",
        ),
        (
            [*SEVERAL, "search=cmaes"],
            "search: got cmaes, allowed grid | random | sobol | tpe | gp | genetic",
        ),
        ([*SEVERAL, "search=anneal"], "search: got anneal, allowed grid | random"),
        ([*SEVERAL, "search=tpe", "pruner=median"], "pruner: got median, allowed none with several objectives"),
        ([*SEVERAL, "search=tpe", "search.target=1"], "search.target: got 1, allowed null with several objectives"),
        ([*SEVERAL, "search=tpe", "search.min_improvement=1"], "search.min_improvement: got 1, allowed 0 with several"),
        (
            [*SEVERAL, "search=tpe", "search.refit=true"],
            "search.refit: got true, allowed false with several",
        ),
        ([*SEVERAL, "search=tpe", "direction=[maximize]"], "direction: got [maximize], allowed 2 of them"),
        ([*SEVERAL, "search=tpe", "direction=maximize"], "direction: got maximize, allowed 2 of them"),
        ([*SEVERAL, "search=tpe", "direction=[maximize,down]"], "direction: got down, allowed minimize | maximize"),
        (
            ["-m", "search=tpe", "lr=0.1,0.2", "objective=[val/loss]"],
            "objective: got [val/loss], allowed several",
        ),
        (["-m", "search=tpe", "lr=0.1,0.2", "objective=[val/loss,test/loss]"], "objective: got test/loss, allowed"),
        (["-m", "search=tpe", "lr=0.1,0.2", "objective=val/loss,val/f1"], "objective: got several values, allowed one"),
        (["-m", "search=tpe", "lr=0.1,0.2", "direction=[maximize,minimize]"], "direction: got [maximize,minimize]"),
        (["-m", "search=tpe", "lr=0.1,0.2", "pruner=wilcoxon"], "pruner: got wilcoxon, allowed none | median"),
        (
            ["-m", "search=tpe", "lr=0.1,0.2", "pruner=wilcoxon", "seeds=4"],
            "pruner: got wilcoxon, allowed none | median",
        ),
        (
            ["-m", "search=grid", "model.width=range(1,5000)", "model.depth=range(1,900)"],
            "search: got a grid of 4,494,101 points, allowed up to 100,000",
        ),
        (["-m", "search=tpe", "search.start=[{x:1}]", "lr=0.1,0.2"], "search.start: got x, allowed lr"),
        (
            ["-m", "search=tpe", "lr=0.1,0.2", "search.refit=true", "scheduler=plateau", "scheduler.monitor=val/loss"],
            "search.refit: got true, allowed false with scheduler.monitor: got val/loss; the winner's last training",
        ),
        (["search.patience=3"], "search.patience: "),
        (["timeout=3"], "timeout: got 3.0, allowed nothing without -m"),
        (["workers=2"], "workers: got 2, allowed nothing without -m"),
        (["study=mine"], "study: got mine, allowed nothing without -m"),
        (["max_failures=2"], "max_failures: got 2, allowed nothing without -m"),
        (["-m", "search=tpe", "study=a b", "lr=0.1,0.2"], "study: got a b"),
        (["storage=sqlite"], "storage: got sqlite, allowed nothing without -m"),
        (["-m", "lr=0.1,0.2", "storage=sqlite"], "storage: got sqlite, allowed with search=…"),
        (["-m", "search=tpe", "storage=redis", "lr=0.1,0.2"], "storage: got redis, allowed journal | sqlite |"),
        (["-m", "search=tpe", "storage=mysql://me:hidden@host/db"], "storage: got mysql://***@host/db, allowed"),
        (
            ["-m", "search=random", "space=mlp", "space.parameters.lr=float"],
            "space.lr: got float, allowed float [low, high]",
        ),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_bad_search_is_refused_in_one_line(run_here, tmp_path, words, line):
    answer = run_here(words)
    assert answer.code == 2
    assert answer.err.startswith(line)
    assert len(answer.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_storage_without_its_driver_is_one_line_and_leaves_nothing(run_here, tmp_path):
    answer = run_here(["-m", "search=random", "lr=0.1,0.2", "storage=postgresql+pg7000://me:hidden@host:1/db", *TINY])
    assert answer.code == 4
    assert answer.err.startswith("storage: got postgresql://host:1/db, allowed with a driver: install psycopg or ")
    assert len(answer.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_others_work_on_names_the_knob(run_here, tmp_path):
    study = tmp_path / "sweeps" / "mine"
    with ownership.held(study):
        owner = json.loads((study / "owner.json").read_text())
    parent = psutil.Process(os.getppid())
    (study / "owner.json").write_text(json.dumps({**owner, "pid": parent.pid, "started": parent.create_time()}))
    answer = run_here(["-m", "search=random", "lr=0.1,0.2", "study=mine", *TINY])
    assert answer.code == 4
    assert answer.err.endswith("which is alive; wait for it, stop it, or choose another study with study=…\n")


@pytest.mark.slow
def test_a_trial_whose_objective_is_no_number_has_failed(tmp_path):
    """R2 of one sample: nothing to divide by."""
    words = ["dataset=diabetes", "dataset.val_fraction=0.002", "objective=val/r2", "direction=maximize", "epochs=1"]
    search = ["-m", "search=random", "lr=0.001,0.01", "n_trials=2", "study=none", "max_failures=5"]
    answer = run(tmp_path, *search, *words, "model.hidden=[8]", "tracking=none")
    assert answer.returncode == 1, answer.stderr
    lines = [line for line in answer.stderr.splitlines() if line.startswith("failed: [")]
    assert len(lines) == 2
    assert all("val/r2: got nan, allowed a number" in line for line in lines)
    assert "2 failed" in answer.stdout


@pytest.mark.slow
def test_workers_begin_with_the_same_file_as_the_command(tmp_path):
    """Another conf/ and another file in it: only there is an epoch one."""
    shutil.copytree(PROJECT / "conf", tmp_path / "theirs")
    text = (tmp_path / "theirs" / "config.yaml").read_text()
    assert "epochs: 20 " in text
    (tmp_path / "theirs" / "mine.yaml").write_text(text.replace("epochs: 20 ", "epochs: 1 "))
    words = [f"--config-path={tmp_path / 'theirs'}", "--config-name=mine", "-m", "search=random", "lr=0.1,0.2"]
    tiny = [word for word in TINY if not word.startswith("epochs=")]
    answer = run(tmp_path, *words, "n_trials=1", "study=mine", "tracking=none", *tiny)
    assert (answer.returncode, answer.stderr) == (0, "")
    trained = (tmp_path / "sweeps" / "mine" / "0" / ".hydra" / "config.yaml").read_text()
    assert "epochs: 1\n" in trained
    assert f"--config-path={tmp_path / 'theirs'} --config-name=mine" in answer.stdout


def test_an_interrupted_search_says_that_it_goes_on(tmp_path):
    words = ["-m", "search=random", "lr=tag(log,interval(1e-3,1e-1))", "study=told", "n_trials=3", "tracking=none"]
    leader = forked.begin(tmp_path, [*words, *TINY, "epochs=100000"])
    until((tmp_path / "sweeps" / "told" / "0" / "run.json").exists, leader)
    leader.send_signal(signal.SIGINT)
    answer = leader.answer()
    assert answer.returncode == 130
    assert answer.stderr == "interrupted by SIGINT; the same command goes on\n"


@pytest.mark.slow
def test_a_study_in_sqlite_goes_on_there(run_here, tmp_path):
    words = ["-m", "search=random", "lr=0.1,0.2", "study=kept", "n_trials=1", *TINY, "tracking=none"]
    answer = run_here([*words, "storage=sqlite"])
    assert (answer.code, answer.err) == (0, "")
    study = tmp_path / "sweeps" / "kept"
    assert (study / "study.db").exists() and not (study / "study.journal").exists()
    again = run_here([*words, "storage=sqlite"])
    assert "finished before: kept has its 1 trials" in again.out
    other = run_here(words)
    assert other.code == 2
    assert other.err == "storage: got journal, allowed sqlite: study kept lies there; study=… begins another\n"
