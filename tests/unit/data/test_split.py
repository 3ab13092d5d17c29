"""Splits are disjoint, complete, stratified and a function of their own seed; fractions of them too."""

import itertools

import numpy as np
import pytest
import torch

from descent.data.digits import digits
from descent.data.source import Encoded, Source
from descent.data.split import content_digest, split, split_order
from descent.errors import DataError, UsageError
from reference.trained import TABLE, parts_of

TEST_SPLIT_SHA256 = (
    "dcb3b4d6442a6ba6cc69a980d4e4098f73f14fd1eaaf4974f31a757813ab6556"  # of split_seed 0: old runs are compared on it
)
DIGITS_SHA256 = "838b4bd6b9e34955c7b87f305bc6ccba2e7e69abe13736335bec4f69f0e3ac05"


def numbered(count=100, classes=3, task="classification", **more):
    """A sample's only feature is its number."""
    targets = torch.arange(count) % classes if task == "classification" else torch.rand(count, 1)
    return Source("x", task, torch.arange(count).float().unsqueeze(1), targets, classes, **more)


def cut(count=100, classes=3, seed=0, task="classification", val=0.2, test=0.1, **more):
    source = numbered(count, classes, task)
    return split(source, val_fraction=val, test_fraction=test, split_seed=seed, **more)


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
        data = split(digits(), val_fraction=0.1, test_fraction=0.1, split_seed=seed)
        whole = torch.cat([part.targets for part in (data.train, data.val, data.test)])
        share = np.bincount(whole) / 1797
        for part in (data.val, data.test):
            assert len(part) == 180
            assert np.abs(np.bincount(part.targets) - 180 * share).max() < 1.5
        assert data.digest == DIGITS_SHA256


def test_digits_are_what_scikit_learn_ships():
    from sklearn.datasets import load_digits

    data = split(digits(), val_fraction=0.0, test_fraction=0.0, split_seed=0)
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
    test = split(digits(), val_fraction=0.1, test_fraction=0.1, split_seed=0).test
    assert content_digest(test.inputs, test.targets) == TEST_SPLIT_SHA256


def test_names_come_along():
    names = {"classes": ("no", "yes"), "columns": ("a", "b")}
    source = Source("x", "classification", torch.zeros(10, 2), torch.arange(10) % 2, 2, **names)
    data = split(source, val_fraction=0.2, test_fraction=0.2, split_seed=0)
    assert (data.classes, data.columns) == (("no", "yes"), ("a", "b"))


# The last samples as they are stored


@pytest.mark.parametrize("test", [0.0, 0.1])
def test_the_last_samples_validate(test):
    data = cut(val=0.2, test=test, val_split="last")
    held_out = set(rows_of(cut(val=0.2, test=test).test))
    assert set(rows_of(data.test)) == held_out, "the test split does not depend on how validation is chosen"
    rest = [row for row in range(100) if row not in held_out]
    assert rows_of(data.train) + rows_of(data.val) == rest
    assert len(data.val) == 20


def test_the_last_samples_cannot_rotate():
    with pytest.raises(UsageError, match=r"^dataset.val_split: got last, allowed stratified with folds"):
        cut(val_split="last", folds=5)


# A test part of the dataset's own


def test_its_own_test_part_is_kept():
    own = (torch.full((7, 1), -1.0), torch.zeros(7, dtype=torch.int64))
    data = split(numbered(test=own), val_fraction=0.1, test_fraction=0.5, split_seed=0)
    assert rows_of(data.test) == [-1] * 7
    assert sorted(rows_of(data.train) + rows_of(data.val)) == list(range(100))
    assert len(data.val) == 10
    assert data.digest != split(numbered(), val_fraction=0.1, test_fraction=0.5, split_seed=0).digest


# What is encoded by statistics of training rows


def test_an_encoding_sees_the_training_rows_alone():
    seen = []

    def encode(rows, columns):
        seen.append(rows)
        shifted = torch.arange(100).float().unsqueeze(1) - rows.double().mean().float()
        return Encoded(shifted, (*columns, "shifted"), {"mean": 1})

    data = split(numbered(encode=encode), val_fraction=0.2, test_fraction=0.1, split_seed=0, fraction=0.5)
    [rows] = seen
    plain = cut(fraction=0.5)
    assert rows.tolist() == rows_of(plain.train)
    assert (data.columns, data.encoding) == (("shifted",), {"mean": 1})
    shift = rows.double().mean().float()
    assert torch.equal(data.val.inputs, plain.val.inputs - shift)
    assert data.digest == plain.digest  # of what stands for the inputs: another split is no other data


# Part of the training split


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("more", [{}, {"folds": 4, "fold": 1}, {"val_split": "last"}])
def test_smaller_fractions_are_parts_of_larger_ones(task, more):
    parts = [cut(300, 4, task=task, fraction=share, **more) for share in (0.05, 0.1, 0.5, 0.9, 1.0)]
    whole = parts[-1]
    for smaller, larger in itertools.pairwise(parts):
        assert set(rows_of(smaller.train)) < set(rows_of(larger.train))
    for part, share in zip(parts, (0.05, 0.1, 0.5, 0.9, 1.0), strict=True):
        assert len(part.train) == round(len(whole.train) * share)
        assert rows_of(part.val) == rows_of(whole.val) and rows_of(part.test) == rows_of(whole.test)


def test_a_fraction_is_stratified_and_a_function_of_the_split_seed():
    random = np.random.default_rng(0)
    labels = torch.from_numpy(random.choice(4, 1000, p=[0.1, 0.2, 0.3, 0.4]))
    source = Source("x", "classification", torch.arange(1000).float().unsqueeze(1), labels, 4)

    def train(fraction, seed=0):
        return split(source, val_fraction=0.2, test_fraction=0.1, split_seed=seed, fraction=fraction).train

    share = np.bincount(train(1.0).targets) / 700
    for fraction in (0.02, 0.1, 0.37, 0.8):
        counts = np.bincount(train(fraction).targets, minlength=4)
        assert np.abs(counts - round(700 * fraction) * share).max() < 2
    assert torch.equal(train(0.3).inputs, train(0.3).inputs)
    assert set(rows_of(train(0.3))) != set(rows_of(train(0.3, seed=1)))


def test_a_fraction_of_less_than_one_sample():
    with pytest.raises(DataError, match="leave none to train on"):
        cut(fraction=0.001)
