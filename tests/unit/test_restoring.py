"""The weights that a run reports are those of the epoch that it names."""

import pytest
import torch

from descent.restoring import BestWeights
from reference.trained import TABLE, trained

NAN = float("nan")


def offered(direction, values, keep=True):
    """A model whose only weight is the epoch's number, offered once an epoch."""
    model, best = torch.nn.Linear(1, 1), BestWeights("val/loss", direction, keep)
    for epoch, value in enumerate(values):
        with torch.no_grad():
            model.weight.fill_(epoch)
        best.offer(epoch, {} if value is None else {"val/loss": value}, model)
    best.restore(model)
    return best, int(model.weight)


@pytest.mark.parametrize(
    ("direction", "values", "epoch"),
    [
        ("minimize", [3, 1, 2], 1),
        ("maximize", [3, 1, 2], 0),
        ("minimize", [2, 1, 1, 1], 1),
        ("maximize", [0.5, 0.5, 0.4], 0),
        ("minimize", [NAN, 2, NAN, 1, NAN], 3),
        ("minimize", [None, 2, None], 1),
        ("minimize", [float("inf"), 5], 1),
    ],
)
def test_the_first_best_epoch_wins(direction, values, epoch):
    best, restored = offered(direction, values)
    assert best.epoch == restored == epoch and best.value == values[epoch]


@pytest.mark.parametrize("values", [[], [NAN, NAN], [None]])
def test_nothing_was_better_than_nothing(values):
    best, _ = offered("minimize", values)
    assert best.epoch is None


def test_without_keeping_the_epoch_is_known_and_the_weights_stay():
    best, last = offered("minimize", [3, 1, 2], keep=False)
    assert best.epoch == 1 and last == 2


def test_a_copy_is_a_copy():
    model, best = torch.nn.BatchNorm1d(3), BestWeights("x", "minimize", True)
    best.offer(0, {"x": 1.0}, model)
    with torch.no_grad():
        model.weight.fill_(9)
    model(torch.randn(8, 3))
    best.restore(model)
    assert torch.equal(model.weight, torch.ones(3)) and int(model.num_batches_tracked) == 0


COMMON = (*TABLE, "regularization=[dropout,batch_norm]", "lr=0.05", "batch_size=16")


@pytest.fixture(scope="module")
def best():
    return trained(*COMMON, "epochs=8", "seed=3")


def test_the_best_epoch_is_what_a_shorter_run_ends_with(best):
    values = [value for _, value in best.engine.history["val/accuracy"]]
    assert best.outcome.epoch == values.index(max(values)) < 7
    shorter = trained(*COMMON, f"epochs={best.outcome.epoch + 1}", "seed=3", "restore=last")
    assert shorter.outcome.weights_sha256 == best.outcome.weights_sha256
    for name in ("test/loss", "test/accuracy", "gap/loss", "best/train/loss"):
        assert shorter.outcome.metrics[name] == best.outcome.metrics[name]


def test_last_reports_the_last(best):
    last = trained(*COMMON, "epochs=8", "seed=3", "restore=last")
    assert last.outcome.epoch == 7 and last.outcome.objective == last.engine.history["val/accuracy"][-1][1]
    assert last.outcome.weights_sha256 != best.outcome.weights_sha256
    assert last.engine.history == best.engine.history


def test_without_validation_the_last_epoch_is_reported():
    run = trained(*COMMON, "epochs=3", "dataset.val_fraction=0")
    assert run.outcome.epoch == 2 and run.outcome.objective == run.engine.history["train/loss"][-1][1]
    assert not [name for name in run.outcome.metrics if name.startswith(("gap/", "best/val"))]
