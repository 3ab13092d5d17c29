"""Metrics against scikit-learn, however the samples arrive."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from descent.data.split import Data, Split
from descent.errors import DataError, UsageError
from descent.tasks import measures, ranking
from descent.tasks.losses import BCE, MSE, CrossEntropy
from descent.tasks.measures import Classification, Regression, Tally, measures_of
from descent.vocabulary import METRICS, RANKED

ROWS = 500
RANDOM = np.random.default_rng(0)
LOGITS, CLASSES = RANDOM.normal(size=(ROWS, 5)), RANDOM.integers(0, 5, ROWS)
TARGETS = RANDOM.normal(3, [1, 10, 0.1], size=(ROWS, 3))
GUESSES = TARGETS + RANDOM.normal(0, 0.5, TARGETS.shape)
CASES = {
    "classification": (CrossEntropy(), LOGITS, CLASSES, Classification(5)),
    "regression": (MSE(), GUESSES, TARGETS, Regression()),
}
CUTS = [[ROWS], [1] * ROWS, [499, 1], [123, 77, 300], [128, 128, 128, 116]]


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def one_against_the_rest(chances, targets):
    """Of the classes that are there and are not all there is."""
    parts = [roc_auc_score(targets == one, chances[:, one]) for one in np.unique(targets) if (targets != one).any()]
    return np.mean(parts)


def measured(task, sizes, dtype=torch.float64):
    loss, outputs, targets, kind = CASES[task]
    tally = Tally(loss, kind, ranked=True)
    values = torch.from_numpy(outputs).to(dtype), torch.from_numpy(targets)
    for batch in zip(*(value.split(sizes) for value in values), strict=True):
        tally.add(*batch)
    assert tally.rows == ROWS
    return tally.metrics()


def test_classification_is_scikit_learns():
    metrics = measured("classification", [ROWS])
    assert metrics["accuracy"] == accuracy_score(CLASSES, LOGITS.argmax(1))
    assert metrics["auc"] == pytest.approx(one_against_the_rest(softmax(LOGITS), CLASSES), abs=1e-12)
    assert {*metrics, "top5"} == set(METRICS["classification"])


def test_regression_is_scikit_learns():
    metrics = measured("regression", [ROWS])
    assert metrics["mae"] == pytest.approx(mean_absolute_error(TARGETS, GUESSES), rel=1e-12)
    assert metrics["r2"] == pytest.approx(r2_score(TARGETS, GUESSES), rel=1e-10)
    assert metrics["mse"] == pytest.approx(mean_squared_error(TARGETS, GUESSES), rel=1e-12)
    assert metrics["loss"] == pytest.approx(((TARGETS - GUESSES) ** 2).mean(), rel=1e-12)
    assert list(metrics) == list(METRICS["regression"])


@pytest.mark.parametrize("task", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [64, 100, 4096])
def test_any_partition_gives_the_same_bits(task, dtype, block, monkeypatch):
    monkeypatch.setattr(measures, "BLOCK", block)
    whole = measured(task, CUTS[0], dtype)
    assert all(measured(task, sizes, dtype) == whole for sizes in CUTS[1:])


@pytest.mark.parametrize("task", CASES)
def test_blocks_change_the_last_bits_at_most(task, monkeypatch):
    whole = measured(task, CUTS[0])
    monkeypatch.setattr(measures, "BLOCK", 37)
    for name, value in measured(task, CUTS[3]).items():
        assert value == pytest.approx(whole[name], rel=1e-12)


def test_r2_of_a_constant_target_is_undefined():
    tally = Tally(MSE(), Regression())
    tally.add(torch.randn(9, 1), torch.ones(9, 1))
    assert np.isnan(tally.metrics()["r2"])


@st.composite
def tables(draw, least=2, most=30):
    """Few different numbers, so that many are equal; classes may be absent, or all but one."""
    classes, rows = draw(st.integers(least, most)), draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    outputs = random.integers(0, draw(st.integers(1, 9)), (rows, classes)) / 4
    return outputs, random.integers(0, draw(st.integers(1, classes)), rows)


def ranks(outputs, targets, classes=None):
    kind = Classification(classes or outputs.shape[1])
    return kind.ranks(torch.from_numpy(outputs), torch.from_numpy(targets))


@settings(deadline=None, max_examples=60)
@given(tables())
def test_counted_ones_are_scikit_learns(table):
    outputs, targets = table
    kind, guesses = Classification(outputs.shape[1]), outputs.argmax(1)
    got = kind.metrics(kind.sums(torch.from_numpy(outputs), torch.from_numpy(targets)))
    assert got["accuracy"] == accuracy_score(targets, guesses)
    for name, oracle in {"precision": precision_score, "recall": recall_score, "f1": f1_score}.items():
        assert got[name] == pytest.approx(oracle(targets, guesses, average="macro", zero_division=0), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(tables(least=3))
def test_ranked_ones_are_scikit_learns(table):
    outputs, targets = table
    classes, got = outputs.shape[1], ranks(outputs, targets)
    chances = ranking.probabilities(torch.from_numpy(outputs)).numpy()  # of equal ones the last bits decide
    np.testing.assert_allclose(chances, softmax(outputs), atol=1e-15)
    if len(np.unique(targets)) > 1:
        assert got["auc"] == pytest.approx(one_against_the_rest(chances, targets), abs=1e-12)
    if len(np.unique(targets)) == classes:
        assert got["auc"] == pytest.approx(roc_auc_score(targets, chances, multi_class="ovr"), abs=1e-12)
    if classes > 5:
        assert got["top5"] == pytest.approx(top_k_accuracy_score(targets, outputs, k=5, labels=range(classes)))


@settings(deadline=None, max_examples=60)
@given(tables(most=2))
def test_auc_of_two_classes_is_scikit_learns_by_two_outputs_or_one(table):
    outputs, targets = table
    if len(np.unique(targets)) == 1:
        assert ranks(outputs, targets) == {}
        return
    margin = outputs[:, 1:] - outputs[:, :1]
    expected = roc_auc_score(targets, margin[:, 0])
    assert ranks(outputs, targets)["auc"] == pytest.approx(expected, abs=1e-12)
    assert ranks(margin, targets, 2)["auc"] == pytest.approx(expected, abs=1e-12)


def test_a_single_output_is_counted_as_two_classes():
    kind, margin = Classification(2), torch.tensor([[1.5], [-0.5], [2.0], [-3.0]])
    got = kind.metrics(kind.sums(margin, torch.tensor([1, 1, 0, 0])))
    assert got == {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5}


@settings(deadline=None, max_examples=30)
@given(tables())
def test_confusion_is_scikit_learns(table):
    outputs, targets = table
    got = measures.confusion(torch.from_numpy(outputs), torch.from_numpy(targets), outputs.shape[1])
    expected = confusion_matrix(targets, outputs.argmax(1), labels=range(outputs.shape[1]))
    np.testing.assert_array_equal(got, expected)


def test_probabilities_of_a_single_output_are_a_column_a_class():
    got = ranking.probabilities(torch.tensor([[0.0], [800.0], [-800.0]]))
    assert got.tolist() == [[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]]


def data(targets, outputs, task="classification"):
    part = Split(torch.zeros(len(targets), 2), torch.tensor(targets))
    return Data("planted", task, outputs, part, part, None, "")


@pytest.mark.parametrize(
    ("monitored", "kept"),
    [
        ({"val/accuracy", "train/loss"}, set()),
        ({"val/auc"}, {"val"}),
        ({"train/auc", "val/top5", "val/loss"}, {"train", "val"}),
    ],
)
def test_outputs_are_kept_only_where_something_reads_what_is_made_of_them(monitored, kept):
    assert measures_of(data([0, 1, 2], 7), monitored).ranked == kept


def test_top_five_of_five_is_refused():
    with pytest.raises(UsageError, match="val/top5: got 5 classes, allowed more than 5; use val/accuracy"):
        measures_of(data([0, 1], 5), {"val/top5"})


def test_the_auc_of_one_class_is_refused_before_anything_is_trained():
    with pytest.raises(DataError, match="val/auc: the val split of planted has one class only; read val/accuracy"):
        measures_of(data([1, 1, 1], 2), {"val/auc"})


def test_numbers_have_no_ranks():
    kind = measures_of(data([0.5, 1.0], 1, "regression"), set())
    assert kind.ranked == set() and kind.ranks(torch.zeros(2, 1), torch.zeros(2, 1)) == {}


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("at", [0, 1, 250, 499])
def test_a_tally_goes_on_from_its_state_to_the_same_bits(ranked, at, monkeypatch):
    monkeypatch.setattr(measures, "BLOCK", 64)
    outputs, targets = torch.from_numpy(LOGITS), torch.from_numpy(CLASSES)

    def tally():
        return Tally(CrossEntropy(), Classification(5), ranked=ranked)

    whole, first, second = tally(), tally(), tally()
    whole.add(outputs, targets)
    first.add(outputs[:at], targets[:at])
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    second.add(outputs[at:], targets[at:])
    assert second.metrics() == whole.metrics()
    assert ("auc" in second.metrics()) == ranked


def test_a_tally_of_one_output():
    tally = Tally(BCE(), Classification(2), ranked=True)
    tally.add(torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0]))
    assert tally.metrics()["auc"] == tally.metrics()["f1"] == 1


def test_what_costs_much_is_among_the_metrics():
    assert set(RANKED) < set(METRICS["classification"])
