"""What is reported is what the reported weights do, measured again by other means."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from descent.outcome import weights_digest
from descent.vocabulary import METRICS, RANKED
from reference.trained import TABLE, trained


def measured(run, split):
    """Outputs of the reported weights in evaluation mode, through plain PyTorch."""
    model, scaling = run.engine.model.eval(), run.engine.scaling
    with torch.no_grad():
        return model(scaling(split.inputs)).double().numpy()


def classification(run, split):
    outputs = measured(run, split)
    odds = np.exp(outputs - outputs.max(1, keepdims=True))
    chances, guesses = odds / odds.sum(1, keepdims=True), outputs.argmax(1)
    macro = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    return {
        "loss": log_loss(split.targets, chances),
        "accuracy": accuracy_score(split.targets, guesses),
        "auc": roc_auc_score(split.targets, chances, multi_class="ovr"),
        **{name: score(split.targets, guesses, average="macro", zero_division=0) for name, score in macro.items()},
    }


def regression(run, split):
    outputs = measured(run, split)
    return {
        "loss": mean_squared_error(split.targets, outputs),
        "mse": mean_squared_error(split.targets, outputs),
        "mae": mean_absolute_error(split.targets, outputs),
        "r2": r2_score(split.targets, outputs),
    }


ORACLES = {"classification": classification, "regression": regression}
NOISY = (*TABLE, "epochs=12", "lr=0.02", "regularization=[dropout,batch_norm]", "regularization.dropout.p=0.5")


def unranked(task):
    """The metrics of every epoch, with their directions."""
    return {name: direction for name, direction in METRICS[task].items() if name not in RANKED}


@pytest.fixture(scope="module", params=list(ORACLES))
def run(request):
    return trained(*NOISY, f"dataset.task={request.param}", "dataset.samples=150", "model.hidden=[64]")


def test_metrics_are_those_of_the_reported_weights(run):
    oracle, metrics, data = ORACLES[run.parts.data.task], run.outcome.metrics, run.parts.data
    for prefix, split in (("best/train", data.train), ("best/val", data.val), ("test", data.test)):
        for name, expected in oracle(run, split).items():
            if name in RANKED and prefix == "best/train":
                continue  # nothing reads it
            assert metrics[f"{prefix}/{name}"] == pytest.approx(expected, rel=1e-4), f"{prefix}/{name}"


def test_train_metrics_at_the_report_are_taken_without_dropout(run):
    with_dropout = dict(run.engine.history["train/loss"])[run.outcome.epoch]
    assert run.outcome.metrics["best/train/loss"] < 0.8 * with_dropout


def test_a_positive_gap_is_overfitting(run):
    metrics, task = run.outcome.metrics, run.parts.data.task
    for name, direction in unranked(task).items():
        ahead = metrics[f"best/train/{name}"] - metrics[f"best/val/{name}"]
        assert metrics[f"gap/{name}"] == pytest.approx(ahead if direction == "maximize" else -ahead)


def test_an_overfitted_run_has_positive_gaps():
    run = trained(
        *TABLE,
        "epochs=60",
        "lr=0.02",
        "model.hidden=[128]",
        "dataset.noise=4",
        "restore=last",
        "dataset.val_fraction=0.4",
    )
    assert run.outcome.metrics["gap/loss"] > 0.5 and run.outcome.metrics["gap/accuracy"] > 0.2


def test_names_and_bookkeeping(run):
    metrics, names = run.outcome.metrics, unranked(run.parts.data.task)
    for name in names:
        assert metrics[f"final/val/{name}"] == run.engine.history[f"val/{name}"][-1][1]
        assert metrics[f"final/train/{name}"] == run.engine.history[f"train/{name}"][-1][1]
    assert metrics["best/epoch"] == run.outcome.epoch
    assert run.outcome.epochs == 12 and run.outcome.objective == metrics[f"best/{run.config.objective}"]
    samples = metrics["time/seconds"] * metrics["time/samples_per_second"]
    assert samples == pytest.approx(12 * len(run.parts.data.train))
    assert all(math.isfinite(value) for value in metrics.values())
    assert not [name for name in run.engine.history if name.startswith("test/")]


@pytest.mark.parametrize("epochs", [3, 4])
def test_the_last_epoch_is_measured_even_where_it_did_not_validate(epochs):
    common = (*TABLE, f"epochs={epochs}", "restore=last")
    sparse, dense = trained(*common, "trainer.check_val_every_n_epoch=2"), trained(*common)
    assert [epoch for epoch, _ in sparse.engine.history["val/loss"]] == [1, 3][: epochs // 2]
    for name in ("best/val/loss", "best/val/accuracy", "gap/loss", "test/loss", "best/epoch"):
        assert sparse.outcome.metrics[name] == dense.outcome.metrics[name]
    assert sparse.outcome.objective == dense.outcome.objective


def test_an_auc_that_something_reads_decides_which_weights_are_reported():
    run = trained(*TABLE, "objective=val/auc", "epochs=6", "lr=0.02", "dataset.noise=3")
    history = dict(run.engine.history["val/auc"])
    best = max(history, key=lambda epoch: (history[epoch], -epoch))
    assert len(history) == 6 and run.outcome.epoch == best
    assert run.outcome.objective == run.outcome.metrics["best/val/auc"] == history[best]
    assert "train/auc" not in run.engine.history


def test_the_top_five_are_measured_of_the_reported_weights():
    table = [one for one in TABLE if "classes" not in one]
    run = trained(*table, "dataset.classes=7", "epochs=1")
    assert run.outcome.metrics["test/top5"] > run.outcome.metrics["test/accuracy"]
    assert "best/val/top5" in run.outcome.metrics and "val/top5" not in run.engine.history


def test_without_a_test_split_predictions_are_still_identified():
    run = trained(*TABLE, "epochs=1", "dataset.test_fraction=0")
    assert len(run.outcome.predictions_sha256) == 64
    assert not [name for name in run.outcome.metrics if name.startswith("test/")]


def test_the_digest_sees_names_types_shapes_and_values():
    def model(name="a", dtype=torch.float32, shape=(2, 3), value=1.0):
        holder = torch.nn.Module()
        holder.register_buffer(name, torch.full(shape, value, dtype=dtype))
        holder.register_buffer("count", torch.tensor(4))
        return holder

    digests = [
        weights_digest(one)
        for one in (
            model(),
            model(name="b"),
            model(dtype=torch.float64),
            model(shape=(3, 2)),
            model(value=1.0 + 2**-23),
        )
    ]
    assert len(set(digests)) == 5 and weights_digest(model()) == digests[0]
    other = model()
    other.count += 1
    assert weights_digest(other) != digests[0]
    strided = model()
    strided.a = torch.full((3, 2), 1.0).T
    assert weights_digest(strided) == digests[0], "the memory's layout is no part of the value"
