"""Settings that are fine one by one and wrong together."""

import copy

import pytest

from descent import contradictions
from descent.contradictions import OURS, lookup, refuse_batches, refuse_doubled_items, refuse_unmet
from descent.errors import UsageError

FINE = {
    "lr": 0.1,
    "batch_size": 10,
    "accumulate": 1,
    "epochs": 3,
    "seed": 0,
    "seeds": 1,
    "folds": 1,
    "fold": None,
    "weight_decay": 0.0,
    "objective": "val/accuracy",
    "loader": {"workers": 0, "stream": False, "chunk": "auto"},
    "dataset": {
        "task": "classification",
        "kind": "table",
        "samples": 100,
        "val_fraction": 0.1,
        "val_split": "stratified",
        "test_fraction": 0.1,
        "split_seed": 0,
        "fraction": 1.0,
        "resize": None,
        "channels": None,
        "features": None,
        "scaling": "standard",
        "cache": "auto",
    },
    "optimizer": {"lr": 0.1, "weight_decay": 0.0},
    "scheduler": {},
    "batch_growth": {},
    "augmentation": {},
    "regularization": {"none": {}},
    "trainer": {"devices": 1},
    "tracking": {"kind": "local", "uri": None},
}


UNREAD = {key: value for key, value in FINE["dataset"].items() if key != "samples"}


def settings(changes):
    """FINE, changed at dotted paths."""
    out = copy.deepcopy(FINE)
    for path, value in changes.items():
        *parents, name = path.split(".")
        node = out
        for part in parents:
            node = node[part]
        node[name] = value
    return out


def test_what_is_fine_passes():
    contradictions.refuse_all(FINE)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"regularization": {"none": {}, "l2": {}}}, "regularization: got [l2,none], allowed [none] or other items"),
        ({"seed": 2**32 - 2, "seeds": 3}, "seeds: got 3, allowed 1 to 2 from seed=4294967294 on"),
        ({"fold": 0}, "fold: got 0, allowed null without folds; set folds=…"),
        ({"folds": 5, "fold": 5}, "fold: got 5, allowed 0 to 4, below folds; the first is 0"),
        (
            {"folds": 5, "dataset.val_fraction": 0},
            "folds: got 5, allowed 1 without a validation split; a fold validates on its part: leave out",
        ),
        ({"folds": 91}, "folds: got 91, allowed 1 to 90 (the samples that are not held out for the test)"),
        ({"folds": 2, "batch_size": 46}, "batch_size: got 46, allowed 1 to 45 (the training samples)"),
        ({"regularization": {}}, "regularization: got [], allowed at least one item"),
        ({"regularization": {"ema": {}, "swa": {}}}, "regularization: got [ema,swa], allowed ema or swa; both decide"),
        (
            {"regularization": {"batch_norm": {}, "layer_norm": {}}},
            "regularization: got [batch_norm,layer_norm], allowed batch_norm or layer_norm; both",
        ),
        (
            {"regularization": {"gradient_clipping": {"max_norm": None, "max_value": None}}},
            "regularization.gradient_clipping.max_norm: got null, allowed a number here or",
        ),
        (
            {"regularization": {"early_stopping": {"patience": None, "target": None, "gradient_norm": None}}},
            "regularization.early_stopping.patience: got null, allowed a number here, in target or in gradient_norm",
        ),
        (
            {"regularization": {"sam": {}}, "optimizer": {"lr": 1.0, "_target_": "torch.optim.LBFGS"}},
            "regularization: got sam, allowed with an optimizer that asks for one gradient a step",
        ),
        ({"augmentation.zoom": [1.2, 0.9]}, "augmentation.zoom: got [1.2,0.9], allowed the smaller number first"),
        ({"augmentation.erasing_area": [0.3, 0.1]}, "augmentation.erasing_area: got [0.3,0.1], allowed the smaller"),
        ({"trainer": {"devices": 1, "max_epochs": 3}}, "trainer.max_epochs: not Lightning's to do here; use epochs=…"),
        ({"dataset.val_fraction": 0.9}, "dataset.val_fraction: got 0.9, allowed val_fraction + test_fraction below 1"),
        ({"dataset.val_fraction": 0.001}, "dataset.val_fraction: got 0.001, allowed 0, or enough"),
        (
            {"dataset.test_samples": 5, "dataset.test_fraction": 0.5},
            "dataset.test_fraction: got 0.5, allowed 0 for this dataset; its own test part has 5 samples",
        ),
        ({"dataset.test_fraction": 0.001}, "dataset.test_fraction: got 0.001, allowed 0, or enough"),
        ({"dataset.fraction": 0.001}, "dataset.fraction: got 0.001, allowed enough for one training sample"),
        ({"dataset.fraction": 0.1}, "batch_size: got 10, allowed 1 to 8 (the training samples) or full"),
        ({"dataset.resize": 4}, "dataset.resize: got 4, allowed null for a table; it is for an image"),
        ({"dataset.channels": 3}, "dataset.channels: got 3, allowed null for a table"),
        ({"dataset.kind": "image", "dataset.features": [1]}, "dataset.features: got [1], allowed null for an image"),
        ({"dataset.features": ["a", 1, "a"]}, "dataset.features: got [a,1,a], allowed each column once"),
        ({"dataset": {"task": "classification", "val_fraction": 0.1}}, "dataset.val_split: got nothing, allowed every"),
        ({"dataset.kind": "image", "dataset.shape": [8]}, "dataset.shape: got [8], allowed [channels,height,width]"),
        ({"batch_size": 81}, "batch_size: got 81, allowed 1 to 80 (the training samples) or full"),
        ({"accumulate": 9}, "accumulate: got 9, allowed 1 to 8 (the minibatches of an epoch)"),
        ({"batch_size": "full", "accumulate": 2}, "accumulate: got 2, allowed 1 to 1"),
        ({"weight_decay": 0.1, "optimizer": {"lr": 0.1}}, "weight_decay: got 0.1, allowed 0 with an optimizer"),
        ({"optimizer.nesterov": True, "optimizer.dampening": 0.1}, "optimizer.dampening: got 0.1, allowed 0"),
        ({"objective": "val/accuracyy"}, "objective: got val/accuracyy, allowed train/loss"),
        ({"objective": "test/loss"}, "objective: got test/loss, allowed train/loss"),
        ({"objective": "val/top5", "dataset.classes": 5}, "objective: got val/top5, allowed train/loss"),
        ({"scheduler.monitor": "val/mae"}, "scheduler.monitor: got val/mae"),
        ({"regularization": {"early_stopping": {"monitor": "x"}}}, "regularization.early_stopping.monitor: got x"),
        (
            {"objective": "val/loss", "dataset.val_fraction": 0},
            "objective: got val/loss, allowed train/loss | train/acc",
        ),
        ({"trainer.check_val_every_n_epoch": 4}, "trainer.check_val_every_n_epoch: got 4, allowed 1 to 3 (epochs)"),
        ({"loader.workers": 1}, "loader.workers: got 1, allowed 0 for data held in memory"),
        ({"trainer.devices": 2}, "trainer.devices: got 2"),
    ],
)
def test_a_contradiction_is_named(changes, line):
    with pytest.raises(UsageError) as refusal:
        contradictions.refuse_all(settings(changes))
    assert str(refusal.value).startswith(line)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "val/f1"},
        {"objective": "val/auc", "scheduler.monitor": "train/auc"},
        {"objective": "val/top5", "dataset.classes": 6},
        {"objective": "val/top5"},
        {"batch_size": 80},
        {"batch_size": "full"},
        {"accumulate": 8},
        {"weight_decay": 0.1},
        {"dataset.val_fraction": 0, "objective": "train/loss"},
        {"dataset.test_fraction": 0},
        {"dataset.kind": "image", "dataset.shape": [1, 8, 8]},
        {"optimizer.nesterov": True, "optimizer.dampening": 0.0},
        {"optimizer.nesterov": False, "optimizer.dampening": 0.1},
        {"regularization": {"gradient_clipping": {"max_norm": None, "max_value": 1.0}}},
        {"regularization": {"early_stopping": {"patience": None, "target": 0.0, "gradient_norm": None}}},
        {"augmentation": {"zoom": [1.0, 1.0], "erasing_aspect": [0.3, 3.3]}},
        {"regularization": {"sam": {}, "ema": {}, "batch_norm": {}}},
        {"trainer.check_val_every_n_epoch": 3},
        {"loader.workers": 1, "loader.stream": True},
        {"dataset": {**UNREAD, "task": "regression"}, "objective": "val/r2"},
        {"dataset.test_samples": 5, "dataset.test_fraction": 0, "dataset.val_fraction": 0.5, "batch_size": 50},
        {"dataset.fraction": 0.125, "batch_size": 10},
        {"dataset.features": ["a", 0], "dataset.fraction": 0.0125, "batch_size": 1},
        {"dataset.kind": "image", "dataset.resize": 4, "dataset.channels": 3},
    ],
)
def test_the_border_is_on_the_right_side(changes):
    contradictions.refuse_all(settings(changes))


@pytest.mark.parametrize("argument", OURS)
def test_every_argument_that_is_ours_is_refused_with_the_knob(argument):
    with pytest.raises(UsageError) as refusal:
        contradictions.refuse_all(settings({f"trainer.{argument}": 1}))
    assert str(refusal.value).startswith(f"trainer.{argument}: ")
    assert OURS[argument] in str(refusal.value)


@pytest.mark.parametrize(
    ("override", "doubled"),
    [
        ("regularization=[l2,l2]", True),
        ("regularization=[l2, 'l2']", True),
        ('regularization=["l2",dropout,l2]', True),
        ("+regularization=[l2,l2]", True),
        ("regularization=[l2,dropout]", False),
        ("regularization=[]", False),
        ("regularization=l2", False),
        ("model.hidden=[8,8]", False),
    ],
)
def test_doubled_items(override, doubled):
    if not doubled:
        return refuse_doubled_items([override])
    with pytest.raises(UsageError, match=r"^regularization: .*leave one l2$"):
        refuse_doubled_items([override])
    return None


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("model.norm", True),
        ("model.width", False),
        ("dataset.task=classification", True),
        ("dataset.task=regression|classification", True),
        ("dataset.task=regression", False),
        ("dataset.nothing=1", False),
    ],
)
def test_a_requirement(condition, met):
    values = {"model": {"norm": "none"}, "dataset": {"task": "classification"}}
    if met:
        return refuse_unmet("loss", condition, values, {"loss": "x"})
    with pytest.raises(UsageError, match=r"^loss: got x, allowed with "):
        refuse_unmet("loss", condition, values, {"loss": "x"})
    return None


def test_a_requirement_of_an_item_is_refused_under_the_list():
    with pytest.raises(
        UsageError, match=r"^regularization: got dropout, allowed with a model that takes dropout; .*drop"
    ):
        refuse_unmet("regularization.dropout", "model.dropout", {"model": {}}, {})


@pytest.mark.parametrize(("size", "accumulate", "rows"), [(1, 1, 1), ("full", 1, 5), (2, 3, 5), (5, 1, 5)])
def test_batches_that_fit(size, accumulate, rows):
    refuse_batches(size, accumulate, rows)


@pytest.mark.parametrize(
    ("size", "accumulate", "rows", "key"),
    [(6, 1, 5, "batch_size"), (2, 4, 5, "accumulate"), ("full", 2, 5, "accumulate"), (1, 1, 0, "dataset.val_fraction")],
)
def test_batches_that_do_not(size, accumulate, rows, key):
    with pytest.raises(UsageError, match=f"^{key}: "):
        refuse_batches(size, accumulate, rows)


@pytest.mark.parametrize(
    ("path", "value"), [("a.b", 1), ("a", {"b": 1}), ("a.c", "default"), ("a.b.c", "default"), ("x", "default")]
)
def test_lookup(path, value):
    assert lookup({"a": {"b": 1}}, path, "default") == value
