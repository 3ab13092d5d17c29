"""Folds against scikit-learn's; the test split is held out, statistics are of training rows alone."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import KFold, StratifiedKFold

from descent.data.source import Source
from descent.data.split import split
from descent.errors import UsageError
from reference.trained import TABLE, parts_of


def cut(targets, folds, fold, test=0.2, task="classification", seed=0):
    rows = torch.arange(len(targets)).float().unsqueeze(1)
    source = Source("x", task, rows, targets, 3 if task == "classification" else 1)
    return split(source, val_fraction=0.1, test_fraction=test, split_seed=seed, folds=folds, fold=fold)


def rows_of(part):
    return part.inputs.squeeze(1).int().tolist()


def labels(count=300, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).choice(3, count, p=[0.1, 0.3, 0.6]))


@pytest.mark.parametrize("folds", [2, 3, 5, 7])
@pytest.mark.parametrize("seed", range(3))
def test_each_class_is_dealt_as_scikit_learn_deals_it(folds, seed):
    targets = labels(seed=seed)
    datas = [cut(targets, folds, fold, seed=seed) for fold in range(folds)]
    rest = np.sort(torch.cat([datas[0].train.targets, datas[0].val.targets]).numpy())
    expected = [
        np.bincount(rest[part], minlength=3) for _, part in StratifiedKFold(folds).split(np.zeros(len(rest)), rest)
    ]
    assert np.array_equal([np.bincount(data.val.targets, minlength=3) for data in datas], expected)


@pytest.mark.parametrize("folds", [2, 3, 8, 81])
def test_sizes_without_classes_are_scikit_learns(folds):
    targets = torch.rand(101, 1)
    sizes = [len(cut(targets, folds, fold, task="regression").val) for fold in range(folds)]
    assert sizes == [len(part) for _, part in KFold(folds).split(np.zeros(101 - 20))]


@pytest.mark.parametrize("test", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_sample_that_is_no_test_validates_once(test, task):
    targets = labels() if task == "classification" else torch.rand(300, 1)
    datas = [cut(targets, 5, fold, test, task) for fold in range(5)]
    validated = sorted(row for data in datas for row in rows_of(data.val))
    tested = rows_of(datas[0].test) if test else []
    assert sorted(validated + tested) == list(range(300))
    for data in datas:
        assert sorted(rows_of(data.train) + rows_of(data.val)) == validated


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_test_split_is_the_one_without_folds(task):
    targets = labels() if task == "classification" else torch.rand(300, 1)
    without = rows_of(cut(targets, 1, 0, task=task).test)
    assert [rows_of(cut(targets, 5, fold, task=task).test) for fold in range(5)] == [without] * 5


def test_folds_are_a_function_of_the_splits_seed_alone():
    targets = labels()
    assert rows_of(cut(targets, 5, 2).val) == rows_of(cut(targets, 5, 2).val) != rows_of(cut(targets, 5, 2, seed=1).val)
    one, other = (parts_of(*TABLE, "folds=4", "fold=1", f"seed={seed}")[1].data for seed in (0, 1))
    assert torch.equal(one.val.inputs, other.val.inputs)


def test_a_class_with_fewer_samples_than_folds_is_refused():
    targets = torch.tensor([0] * 50 + [1] * 50 + [2] * 4)
    with pytest.raises(UsageError, match="folds: got 5, allowed 1 to 4; class 2 has 4 samples beside the test split"):
        cut(targets, 5, 0, test=0.0)
    assert [len(cut(targets, 4, fold, test=0.0).val) for fold in range(4)] == [26] * 4


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_more_folds_than_samples_are_refused(task):
    with pytest.raises(UsageError, match=r"^folds: got 30, allowed 1 to 16 \(the samples that are not held out"):
        cut(torch.arange(20) % 2 if task == "classification" else torch.rand(20, 1), 30, 0, task=task)


@pytest.mark.parametrize("fold", [0, 3])
def test_scaling_is_fitted_on_the_training_rows_of_the_fold(fold):
    parts = parts_of(*TABLE, "folds=4", f"fold={fold}")[1]
    seen = parts.data.train.inputs.double().numpy()
    scaled = parts.engine.scaling(parts.data.train.inputs).numpy()
    assert scaled == pytest.approx((seen - seen.mean(0)) / seen.std(0), abs=1e-4)
    other = parts_of(*TABLE, "folds=4", f"fold={fold ^ 1}")[1]
    assert not torch.equal(other.engine.scaling(seen := parts.data.val.inputs), parts.engine.scaling(seen))
