"""The two commands of the README, as real processes; what they leave is read back through the MLflow API."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reference import forked

PROJECT = Path(__file__).parents[2]
SECRET = "s3cr3t-v4lue-of-a-test"


def runs_of(root: Path):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    experiment = client.get_experiment_by_name("descent")
    return client, client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    root = tmp_path_factory.mktemp("single")
    overrides = ["optimizer=adam", "lr=1e-3", "name=first", "tags={arm:a}", "tracking.steps=true"]
    answer = forked.train(root, [*overrides, f"+tags.note={SECRET}"], {"DESCENT_TEST_TOKEN": SECRET})
    assert answer.returncode == 0, answer.stderr
    written = {path.name for path in root.iterdir()}  # before the reading client makes files of its own
    return root, answer, *runs_of(root), written


@pytest.fixture(scope="module")
def run(single):
    return single[3][0]


@pytest.fixture(scope="module")
def artifacts(single, run):
    return Path(single[2].download_artifacts(run.info.run_id, ""))


def test_one_run_and_it_is_finished(single):
    assert [run.info.status for run in single[3]] == ["FINISHED"]


def test_nothing_but_the_named_places_is_written(single):
    assert single[4] == {"mlflow.db", "mlruns", "runs"}


def test_the_store_is_absolute(single, run):
    assert run.info.artifact_uri.startswith(f"file://{single[0]}/mlruns/") or run.info.artifact_uri.startswith(
        str(single[0])
    )


def test_the_name_begins_with_ours(run):
    assert run.info.run_name.startswith("first mlp/adam/digits")


def test_the_description_has_question_answer_verdict_and_command(run):
    question, answer, verdict, picture, command = run.data.tags["mlflow.note.content"].split("\n\n")
    assert question == "What does mlp with adam on digits come to, with lr 0.001, 20 epochs and seed 0?"
    assert answer.startswith("**best/val/accuracy 0.9") and "test/accuracy 0.9" in answer
    assert verdict.startswith(f"Verdict: {run.data.tags['diagnosis']}")
    assert picture == f"![curves](get-artifact?path=curves.png&run_uuid={run.info.run_id})"
    assert command.startswith("    python src/train.py optimizer=adam") and SECRET not in command


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("optimizer", "adam"),
        ("model", "mlp"),
        ("dataset", "digits"),
        ("regularization", "none"),
        ("loss", "cross_entropy"),
        ("lr", "0.001"),
        ("epochs", "20"),
        ("objective", "val/accuracy"),
        ("direction", "maximize"),
        ("model.hidden", "[256, 128]"),
        ("dataset.val_fraction", "0.1"),
        ("optimizer.betas", "[0.9, 0.999]"),
    ],
)
def test_params_are_configuration_paths(run, param, value):
    assert run.data.params[param] == value


def test_tags_are_ours_and_masked(run):
    assert run.data.tags["arm"] == "a"
    assert SECRET not in run.data.tags["note"]


@pytest.mark.parametrize(
    "metric",
    [
        "train/loss",
        "train/accuracy",
        "val/loss",
        "val/accuracy",
        "train/lr",
        "train/gradient_norm",
        "test/loss",
        "test/accuracy",
        "best/val/accuracy",
        "best/val/loss",
        "best/train/accuracy",
        "final/val/accuracy",
        "gap/accuracy",
        "gap/loss",
        "model/parameters",
        "model/multiply_adds",
        "time/samples_per_second",
        "time/milliseconds_per_step",
        "memory/peak_megabytes",
    ],
)
def test_metrics_are_named_split_slash_name(run, metric):
    assert np.isfinite(run.data.metrics[metric])


def test_the_default_is_good_enough(run):
    assert run.data.metrics["test/accuracy"] >= 0.96


def test_size_is_the_closed_form(run):
    weights = 64 * 256 + 256 * 128 + 128 * 10
    assert run.data.metrics["model/multiply_adds"] == weights
    assert run.data.metrics["model/parameters"] == weights + 256 + 128 + 10


def test_best_is_the_best_of_the_history(single, run):
    values = [point.value for point in single[2].get_metric_history(run.info.run_id, "val/accuracy")]
    assert len(values) == 20
    assert run.data.metrics["best/val/accuracy"] == max(values)


def test_epochs_are_the_steps(single, run):
    points = single[2].get_metric_history(run.info.run_id, "train/loss")
    assert sorted(point.step for point in points) == list(range(20))


def test_every_step_has_its_loss_on_request(single, run, artifacts):
    points = {point.step: point.value for point in single[2].get_metric_history(run.info.run_id, "step/loss")}
    trace = np.load(artifacts / "diagnostics" / "loss_per_step.npy")
    assert trace.dtype == np.float32 and len(trace) == 20 * 45
    assert sorted(points) == list(range(900))
    np.testing.assert_allclose([points[step] for step in range(900)], trace)


def test_the_gap_is_training_minus_validation_without_dropout(run):
    metrics = run.data.metrics
    assert metrics["gap/accuracy"] == pytest.approx(metrics["best/train/accuracy"] - metrics["best/val/accuracy"])
    assert metrics["gap/loss"] == pytest.approx(metrics["best/val/loss"] - metrics["best/train/loss"])


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()


def test_the_source_is_recorded(run, artifacts):
    assert run.data.tags["git_commit"] == git("rev-parse", "HEAD")
    dirty = bool(git("status", "--porcelain"))
    assert run.data.tags["git_dirty"] == str(dirty).lower()
    if dirty:
        patch = (artifacts / "source" / "diff.patch").read_bytes()
        assert b"diff --git" in patch
    assert len(run.data.tags["diff_sha256"]) == 64


@pytest.mark.parametrize(
    "tag", ["host", "threads", "precision", "device", "environment.lock_sha256", "environment.python"]
)
def test_the_environment_is_recorded(run, tag):
    assert run.data.tags[tag]


def test_the_lock_is_the_file(run):
    expected = hashlib.sha256((PROJECT / "requirements.lock").read_bytes()).hexdigest()
    assert run.data.tags["environment.lock_sha256"] == expected


def test_the_dataset_is_an_input(run):
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.name == "digits"
    assert run.data.tags["dataset_sha256"].startswith(dataset.dataset.digest)


def test_both_configurations_are_kept(artifacts):
    assert "lr: ${lr}" in (artifacts / "config" / "unresolved.yaml").read_text()
    resolved = (artifacts / "config" / "resolved.yaml").read_text()
    assert "${" not in resolved and "lr: 0.001" in resolved


def test_no_artifact_tells_the_secret(artifacts):
    told = [path for path in artifacts.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert told == []


def test_layers_are_observed_at_sparse_epochs(artifacts):
    rows = json.loads((artifacts / "diagnostics" / "layers.json").read_text())
    assert {row["epoch"] for row in rows} == {0, 1, 2, 4, 8, 16, 19}
    assert {"gradient_norm", "weight_norm"} <= set(rows[0])


def test_curves_are_a_picture(artifacts):
    assert (artifacts / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_digest_is_of_the_weights_not_of_the_file(run, artifacts):
    digest = hashlib.sha256()
    for name, array in sorted(load_file(artifacts / "weights.safetensors").items()):
        digest.update(f"{name}torch.{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    assert run.data.tags["weights_sha256"] == digest.hexdigest()


def test_the_model_loads_and_predicts_the_test_digits(single, run):
    import mlflow
    from sklearn.datasets import load_digits

    [logged] = single[2].search_logged_models([run.info.experiment_id])
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    assert model.metadata.signature is not None
    digits = load_digits()
    inputs = digits.images[:, None].astype(np.float32)
    predicted = np.asarray(model.predict(inputs)).argmax(1)
    assert (predicted == digits.target).mean() > 0.96


def test_the_end_says_what_a_person_wants_to_know(single):
    out = single[1].stdout
    for word in ("optimizer", "accuracy", "test", "validation", "epochs in", "directory:", "next:"):
        assert word in out
    assert out.count("python src/train.py") == 3
    assert out.count("python src/evaluate.py run=") == 1
    assert single[1].stderr == ""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    root = tmp_path_factory.mktemp("grid")
    answer = forked.train(root, ["-m", "optimizer=sgd,adam", "lr=1e-3,1e-2", "epochs=2", "tracking.model=false"])
    assert answer.returncode == 0, answer.stderr
    return root, answer, runs_of(root)[1]


def test_a_grid_is_every_combination(grid):
    points = [(run.data.params["optimizer"], run.data.params["lr"]) for run in grid[2]]
    assert points == [("sgd", "0.001"), ("sgd", "0.01"), ("adam", "0.001"), ("adam", "0.01")]


def test_a_grid_has_a_directory_a_point(grid):
    [sweep] = (grid[0] / "sweeps").iterdir()
    assert {path.name for path in sweep.iterdir()} == {"0", "1", "2", "3", "multirun.yaml"}


def test_the_names_in_a_grid_differ(grid):
    assert len({run.info.run_name for run in grid[2]}) == 4


def test_a_point_of_a_grid_is_the_run_it_stands_for(grid, tmp_path):
    answer = forked.train(tmp_path, ["optimizer=adam", "lr=1e-2", "epochs=2", "tracking.model=false"])
    assert answer.returncode == 0, answer.stderr
    alone = runs_of(tmp_path)[1][0].data.tags["weights_sha256"]
    assert grid[2][3].data.tags["weights_sha256"] == alone


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    root = tmp_path_factory.mktemp("diverged")
    return forked.train(root, ["optimizer=sgd", "lr=1e6"]), runs_of(root)[1][0]


def test_divergence_ends_with_5_and_one_line(diverged):
    answer, _ = diverged
    assert answer.returncode == 5
    [line] = answer.stderr.splitlines()
    assert "step" in line and "lr" in line and len(line) <= 200


def test_divergence_is_a_failure_with_its_reason(diverged):
    run = diverged[1]
    assert run.info.status == "FAILED"
    assert "Diverged" in run.data.tags["status_reason"]
