"""A search as a user runs it: one study for many questions, then the same command again."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.searches import PROJECT, SEARCH, run, runs_of
from reference import forked


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    answer = run(root, *SEARCH)
    assert answer.returncode == 0, answer.stderr
    (directory,) = (root / "sweeps").iterdir()
    return root, directory, answer


@pytest.fixture(scope="module")
def runs(study):
    found = runs_of(study[0])
    parents = {one.info.run_id: one for one in found if one.data.tags.get("role") == "study"}
    return found, parents


def test_it_says_each_trial_and_the_best_command(study):
    _, _, answer = study
    said = answer.stdout.splitlines()
    assert len([line for line in said if line.startswith("[") and "/6] #" in line]) == 6
    assert any(line.strip().startswith("python src/train.py") for line in said)
    assert answer.stderr == ""


def test_its_beginning_says_what_it_will_do_and_its_end_what_to_do_next(study):
    _, directory, answer = study
    said = answer.stdout.splitlines()
    (first,) = [line for line in said if line.startswith(f"{directory.name}: tpe over optimizer, ")]
    assert first.endswith(f"; 6 trials, 2 workers; logs: {directory / 'logs'}")
    assert said[said.index("next:") + 1 :] == [
        f"  python src/compare.py by=optimizer study={directory.name}",
        f"  python src/evaluate.py run={directory}",
        "  make ui",
    ]


def test_the_comparison_that_is_proposed_can_be_made(study):
    """The best alone is tested: groups are told by validation data."""
    root, _, answer = study
    (line,) = [one for one in answer.stdout.splitlines() if "src/compare.py" in one]
    done = forked.train(root, shlex.split(line)[2:], script="compare.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "best/val/accuracy by optimizer" in done.stdout


def test_every_trial_has_a_directory_of_its_own(study):
    _, directory, _ = study
    assert {path.name for path in directory.iterdir() if path.name.isdigit()} == set("012345")
    assert (directory / "3" / ".hydra" / "overrides.yaml").exists()
    assert json.loads((directory / "3" / "run.json").read_text())["state"] == "finished"


def test_the_best_keeps_the_state_of_its_end_and_the_trials_do_not(study):
    _, directory, _ = study
    kept = {path.name: _steps(path) for path in directory.iterdir() if path.name in ("best", *"012345")}
    (end,) = kept.pop("best")
    assert len(kept) == 6 and not any(end in steps for steps in kept.values())


def _steps(directory):
    return {int(file.name.split("-")[1]) for file in directory.glob("checkpoints/step-*.pt")}


def test_trial_0_is_the_current_configuration(study):
    _, directory, _ = study
    words = (directory / "0" / ".hydra" / "overrides.yaml").read_text()
    assert "optimizer=adam" in words and "lr=0.001" in words


def test_a_trial_has_its_own_optimizers_space_alone(study):
    _, directory, _ = study
    for number in range(6):
        words = (directory / str(number) / ".hydra" / "overrides.yaml").read_text()
        assert ("optimizer.betas=" in words) == ("optimizer=adam" in words)


def test_one_parent_and_a_child_for_each_trial(runs):
    found, parents = runs
    (parent,) = parents.values()
    children = [one for one in found if one.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(children) == 7  # and the best once more
    assert {one.info.status for one in found} == {"FINISHED"}
    assert parent.data.metrics["study/complete"] == 6


def test_what_is_the_same_for_all_is_told_by_the_parent_alone(runs):
    found, parents = runs
    (parent,) = parents.values()
    children = [one for one in found if one.info.run_id not in parents]
    assert parent.data.tags["environment.python"]
    assert not [tag for one in children for tag in one.data.tags if tag.startswith("environment.")]
    for name in ("git_commit", "diff_sha256", "dataset_sha256"):
        assert {one.data.tags[name] for one in found} == {parent.data.tags[name]}


def test_a_trial_can_be_made_again_all_the_same(study):
    _, directory, _ = study
    said = json.loads((directory / "3" / "provenance.json").read_text())
    assert said["environment"]["python"] and said["source"]["diff_sha256"]


def test_the_report_lies_in_the_study_and_in_its_run(study, runs):
    import mlflow

    root, directory, answer = study
    assert f"report: {directory / 'report.html'}" in answer.stdout
    (parent,) = runs[1]
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    logged = {one.path for one in client.list_artifacts(parent)}
    assert {"report.html", "plots"} <= logged
    copy = client.download_artifacts(parent, "report.html")
    assert Path(copy).read_bytes() == (directory / "report.html").read_bytes()
    assert (directory / "plots" / "history.png").exists()


def test_a_child_is_named_by_what_tells_it_from_its_siblings(runs):
    found, parents = runs
    names = [one.info.run_name for one in found if one.info.run_id not in parents]
    assert sum(name.startswith("best optimizer=") for name in names) == 1
    assert sum(name.startswith("optimizer=") and "dataset" not in name for name in names) == 6


def test_no_trial_has_read_the_test_split_and_the_best_has(runs):
    found, _ = runs
    tested = [one for one in found if any(key.startswith("test/") for key in one.data.metrics)]
    assert len(tested) == 1
    assert tested[0].data.tags["run_directory"].endswith("/best")


def test_the_best_once_more_is_the_same_training(study, runs):
    found, parents = runs
    (parent,) = parents.values()
    number = int(parent.data.metrics["best/trial"])
    digests = {
        one.data.tags.get("run_directory", "").rpartition("/")[2]: one.data.tags.get("weights_sha256") for one in found
    }
    assert digests["best"] == digests[str(number)]


def test_no_knob_of_the_search_is_a_param_of_a_trial(runs):
    found, _ = runs
    for one in found:
        assert not {"n_trials", "workers", "study", "search", "search.patience", "pruner"} & set(one.data.params)


def test_the_studys_directory_is_evaluated_as_its_best(study):
    root, directory, _ = study
    done = forked.train(root, [f"run={directory}"], script="evaluate.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert (directory / "best" / "evaluate" / "test" / "report.json").exists()


def test_the_same_command_again_says_that_it_is_finished(study):
    root, directory, _ = study
    before = sorted(path.name for path in directory.iterdir())
    answer = run(root, *SEARCH)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"finished before: {directory.name} has its 6 trials" in answer.stdout
    assert sorted(path.name for path in directory.iterdir()) == before


def test_a_finished_study_is_told_without_a_worker(study, run_here, monkeypatch):
    from hydra_plugins.descent_sweeper import _crew

    root, directory, _ = study
    monkeypatch.setenv("DESCENT_ROOT", str(root))
    monkeypatch.setattr(_crew, "started", None)
    answer = run_here(SEARCH)
    assert answer.code == 0, answer.err
    assert f"finished before: {directory.name}" in answer.out


def test_a_finished_study_is_told_without_torch(study):
    root, _, _ = study
    env = {**os.environ, "DESCENT_ROOT": str(root), "PYTHONPROFILEIMPORTTIME": "1"}
    command = [sys.executable, str(PROJECT / "src" / "train.py"), *SEARCH]
    answer = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300)
    assert "finished before" in answer.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in answer.stderr.splitlines()}
    assert "optuna" in imported
    assert not imported & {"torch", "pytorch_lightning", "mlflow", "sklearn"}


@pytest.mark.slow
def test_more_trials_extend_it(study):
    root, _, _ = study
    answer = run(root, *[word if word != "n_trials=6" else "n_trials=8" for word in SEARCH])
    assert answer.returncode == 0, answer.stderr
    said = [line for line in answer.stdout.splitlines() if "/8] #" in line]
    assert sorted(line.split("#")[1].split(" ")[0] for line in said) == ["6", "7"]
    assert len(list((root / "sweeps").iterdir())) == 1
