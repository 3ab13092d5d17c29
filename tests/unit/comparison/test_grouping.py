"""Which runs are compared with which, and what a reader is told about the rest."""

import itertools

import pytest

from descent.comparison.contrast import contrast
from descent.comparison.grouping import grouped
from descent.errors import DataError
from descent.tracking.reading import Stored

ids = itertools.count()
SETTINGS = {"dataset": "digits", "epochs": "20", "optimizer": "adam", "lr": "0.001", "seed": "0", "loss": "auto"}


def run(value=0.5, tags=None, status="FINISHED", **params):
    settings = {**SETTINGS, **{key.replace("__", "."): str(one) for key, one in params.items()}}
    metrics = {} if value is None else {"test/accuracy": value, "test/loss": value}
    own = {"dataset_sha256": settings["dataset"], **(tags or {})}
    return Stored(f"run{next(ids)}", "run", status, 0, settings, own, metrics, 1000)


def both(**params):
    """A run of each of two optimizers."""
    return [run(optimizer=name, **params) for name in ("adam", "sgd")]


def table(runs, by=("optimizer",), metric="test/accuracy"):
    return grouped(runs, by, metric)


def sizes(found):
    return {group.name: len(group.runs) for group in found.groups}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"dataset": "iris"}, "dataset iris, not digits"),
        ({"epochs": 5}, "epochs 5, not 20"),
        ({"dataset__split_seed": 3}, "dataset.split_seed 3, not none"),
        ({"folds": 5}, "folds 5, not 1"),
        ({"dataset__fraction": 0.1}, "dataset.fraction 0.1, not 1.0"),
    ],
)
def test_what_is_not_comparable_is_left_out_with_its_reason(other, reason):
    found = table([*both(), *both(seed=1), *both(**other)])
    assert sizes(found) == {"adam": 2, "sgd": 2} and found.left_out == {reason: 2}


@pytest.mark.parametrize(("metric", "left"), [("test/loss", {"loss focal, not auto": 1}), ("test/accuracy", {})])
def test_a_loss_is_compared_under_one_loss_only(metric, left):
    assert table([*both(), run(loss="focal", seed=1)], metric=metric).left_out == left


@pytest.mark.parametrize("by", ["epochs", "dataset.fraction", "dataset.samples"])
def test_what_is_asked_for_may_differ(by):
    runs = [run(**{by: value}, tags={"dataset_sha256": "x" if by != "dataset.samples" else value}) for value in "12"]
    assert sizes(table(runs, (by,))) == {"1": 1, "2": 1}


def test_runs_from_before_a_knob_are_as_it_was():
    assert sizes(table([run(folds=1), run(optimizer="sgd")])) == {"adam": 1, "sgd": 1}


def test_what_varies_inside_a_group_makes_pairs_and_is_said():
    runs = [one for lr in (0.1, 0.01) for seed in (0, 1) for one in both(lr=lr, optimizer__lr=lr, seed=seed)]
    found = table(runs)
    first, second = (group.values("test/accuracy") for group in found.groups)
    assert contrast(first, second).counts == (4, 4) and contrast(first, second).paired
    assert found.notes == ["inside groups lr (0.01, 0.1) varies too: that is part of their spread"]


def test_what_differs_between_groups_is_said():
    runs = [run(), run(optimizer="sgd", lr=0.1, optimizer__lr=0.1, optimizer__nesterov="True")]
    assert table(runs).notes == ["besides optimizer the groups differ in lr (0.001, 0.1)"]


def test_settings_that_change_no_result_are_passed_over():
    assert table([run(name="a", threads=1), run(name="b", threads=2, optimizer="sgd")]).notes == []


def test_the_same_bits_count_once_but_not_in_two_groups():
    same = {"weights_sha256": "x"}
    found = table([run(tags=same), run(tags=same, name="again"), run(optimizer="sgd", tags=same)])
    assert sizes(found) == {"adam": 1, "sgd": 1}
    assert found.left_out == {"the same to the bit as one that counts": 1}
    assert sizes(table([run(tags=same, epochs=5), run(tags=same, epochs=9)], ("epochs",))) == {"5": 1, "9": 1}


def test_failed_runs_are_counted_in_their_row():
    found = table([*both(), run(None, status="FAILED"), run(None, status="KILLED"), run(None, status="RUNNING")])
    assert [group.failed for group in found.groups] == [2, 0]
    assert found.left_out == {"failed": 1, "killed": 1, "still running": 1}


def test_groups_stand_in_the_order_of_their_numbers():
    assert [group.name for group in table([run(lr=lr) for lr in (10, 0.5, 2)], ("lr",)).groups] == ["0.5", "2", "10"]


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        ([run(), run(lr=2, seed=1)], "by: got optimizer, but all 2 runs have adam; lr differ"),
        ([run(), run(optimizer="sgd", epochs=3)], "by: adam (1), sgd (1) are not comparable: epochs 3, not 20"),
        (
            [run(None, status="FAILED"), run(None, status="RUNNING")],
            "none of 2 has a result: 1 failed, 1 still running",
        ),
    ],
)
def test_where_nothing_can_be_compared_a_line_says_why(runs, line):
    with pytest.raises(DataError) as refusal:
        table(runs)
    assert line in str(refusal.value)
