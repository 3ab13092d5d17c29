"""Several objectives: their directions, what a training follows itself, and what it has come to in each."""

import pytest

from descent.errors import UsageError
from descent.objectives import aims_of, own, value_of

DIGITS = {"task": "classification", "val_fraction": 0.2, "classes": 10}


@pytest.mark.parametrize(
    ("objective", "direction", "found"),
    [
        (["val/accuracy", "model/parameters"], "auto", ["maximize", "minimize"]),
        (["val/loss", "time/samples_per_second"], "auto", ["minimize", "maximize"]),
        (
            ["val/loss", "gap/accuracy", "time/seconds"],
            ["auto", "maximize", "auto"],
            ["minimize", "maximize", "minimize"],
        ),
    ],
)
def test_auto_is_what_the_metric_says(objective, direction, found):
    assert aims_of(objective, direction, DIGITS) == list(zip(objective, found, strict=True))


@pytest.mark.parametrize(
    ("objective", "direction", "line"),
    [
        (["val/loss"], "auto", "objective: got [val/loss], allowed several"),
        (["val/loss", "val/loss"], "auto", "objective: got [val/loss,val/loss], allowed several, each once"),
        (["val/loss", "test/loss"], "auto", "objective: got test/loss"),
        (["val/loss", "val/mse"], "auto", "objective: got val/mse"),
        (["val/loss", "model/size"], "auto", "objective: got model/size"),
        (["val/loss", "train/auc"], "auto", "objective: got train/auc"),
        (["val/loss", "val/f1"], ["minimize"], "direction: got [minimize], allowed 2 of them"),
        (["val/loss", "val/f1"], "minimize", "direction: got minimize, allowed 2 of them"),
        (["val/loss", "val/f1"], ["minimize", "up"], "direction: got up"),
    ],
)
def test_what_does_not_fit_is_refused(objective, direction, line):
    with pytest.raises(UsageError) as refused:
        aims_of(objective, direction, DIGITS)
    assert str(refused.value).startswith(line)
    assert len(str(refused.value)) <= 200


def test_without_validation_there_is_no_metric_of_it():
    with pytest.raises(UsageError, match="objective: got val/loss"):
        aims_of(["train/loss", "val/loss"], "auto", {**DIGITS, "val_fraction": 0})


def test_a_training_follows_the_first_that_its_epochs_have():
    assert own([("model/parameters", "minimize"), ("val/f1", "maximize")]) == ("val/f1", "maximize")
    assert own([("model/parameters", "minimize"), ("time/seconds", "minimize")]) == ("auto", "auto")


def test_a_value_is_of_the_weights_that_are_reported():
    metrics = {"best/val/loss": 2.0, "best/train/loss": 3.0, "gap/loss": 4.0, "final/val/loss": 5.0}
    names = ("val/f1", "val/loss", "train/loss", "gap/loss")
    assert [value_of(name, "val/f1", 1.0, metrics) for name in names] == [1.0, 2.0, 3.0, 4.0]


def test_every_metric_that_is_allowed_is_measured(composed):
    """Of a real training: no objective that was let in has no value."""
    from reference.trained import TABLE, trained

    run = trained(*TABLE, "epochs=2")
    dataset = composed(*TABLE).settings["dataset"]
    with pytest.raises(UsageError) as refused:
        aims_of(["val/loss", "?"], "auto", dataset)
    assert "val/accuracy" in str(refused.value)
    from descent.objectives import _known

    for name in _known(dataset):
        assert isinstance(value_of(name, "val/loss", run.outcome.objective, run.outcome.metrics), float)
