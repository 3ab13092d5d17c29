"""Splits are disjoint, complete, stratified and a function of their own seed."""

import numpy as np
import pytest
import torch

from descent.data.digits import digits
from descent.data.split import content_digest, split_data, split_order
from descent.errors import DataError
from reference.trained import TABLE, parts_of

TEST_SPLIT_SHA256 = (
    "dcb3b4d6442a6ba6cc69a980d4e4098f73f14fd1eaaf4974f31a757813ab6556"  # of split_seed 0: old runs are compared on it
)
DIGITS_SHA256 = "838b4bd6b9e34955c7b87f305bc6ccba2e7e69abe13736335bec4f69f0e3ac05"


def cut(count=100, classes=3, seed=0, task="classification", val=0.2, test=0.1):
    targets = torch.arange(count) % classes if task == "classification" else torch.rand(count, 1)
    rows = torch.arange(count).float().unsqueeze(1)
    return split_data(
        "x", rows, targets, task=task, outputs=classes, val_fraction=val, test_fraction=test, split_seed=seed
    )


def rows_of(split):
    return [] if split is None else split.inputs.squeeze(1).int().tolist()


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("count", [10, 97, 1000])
@pytest.mark.parametrize(("val", "test"), [(0.2, 0.1), (0.1, 0.0), (0.0, 0.0), (0.45, 0.45)])
def test_disjoint_complete_and_sized(task, count, val, test):
    data = cut(count, task=task, val=val, test=test)
    parts = [rows_of(part) for part in (data.train, data.val, data.test)]
    assert sorted(row for part in parts for row in part) == list(range(count))
    assert list(map(len, parts[1:])) == [round(count * val), round(count * test)]
    assert (data.val is None) == (val == 0) and (data.test is None) == (test == 0)


def test_the_split_is_a_function_of_its_seed():
    assert rows_of(cut(seed=1).test) == rows_of(cut(seed=1).test) != rows_of(cut(seed=2).test)
    one, other = (parts_of(*TABLE, f"seed={seed}")[1].data for seed in (0, 1))
    assert torch.equal(one.test.inputs, other.test.inputs) and one.digest == other.digest


def test_held_out_rows_stay_when_validation_grows():
    assert rows_of(cut(val=0.1).test) == rows_of(cut(val=0.3).test)
    assert set(rows_of(cut(val=0.1).val)) <= set(rows_of(cut(val=0.3).val))


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_the_order_is_stratified(seed):
    random = np.random.default_rng(seed)
    labels = random.choice(5, 400, p=[0.05, 0.1, 0.2, 0.25, 0.4])
    order = split_order(len(labels), seed, labels)
    assert sorted(order) == list(range(400))
    for label in range(5):
        seen = np.cumsum(labels[order] == label)
        fair = np.arange(1, 401) * (labels == label).mean()
        assert np.abs(seen - fair).max() < 2


def test_digits_are_stratified_to_a_sample_or_two():
    for seed in range(3):
        data = digits("classification", "image", 1797, 0.1, 0.1, seed)
        whole = torch.cat([part.targets for part in (data.train, data.val, data.test)])
        share = np.bincount(whole) / 1797
        for part in (data.val, data.test):
            assert len(part) == 180
            assert np.abs(np.bincount(part.targets) - 180 * share).max() < 1.5
        assert data.digest == DIGITS_SHA256


def test_digits_are_what_scikit_learn_ships():
    from sklearn.datasets import load_digits

    data = digits("classification", "image", 1797, 0.0, 0.0, 0)
    assert data.input_shape == (1, 8, 8) and data.outputs == 10
    np.testing.assert_array_equal(data.train.inputs[:, 0], load_digits().images)
    np.testing.assert_array_equal(data.train.targets, load_digits().target)


def test_nothing_left_to_train_on():
    with pytest.raises(DataError, match="100 samples leave none"):
        cut(val=0.5, test=0.5)


@pytest.mark.parametrize("change", ["byte", "target", "type", "shape", "order"])
def test_the_digest_sees_every_change(change):
    inputs, targets = torch.arange(12, dtype=torch.uint8).view(4, 3), torch.tensor([0, 1, 0, 1])
    before = content_digest(inputs, targets)
    assert before == content_digest(inputs.clone(), targets.clone())
    if change == "byte":
        inputs[2, 1] += 1
    elif change == "target":
        targets[0] = 1
    elif change == "type":
        inputs = inputs.to(torch.int8)
    elif change == "shape":
        inputs = inputs.view(4, 3, 1)
    else:
        inputs, targets = inputs.flip(0), targets.flip(0)
    assert content_digest(inputs, targets) != before


def test_the_digits_test_split_is_pinned():
    test = digits("classification", "image", 1797, 0.1, 0.1, 0).test
    assert content_digest(test.inputs, test.targets) == TEST_SPLIT_SHA256
