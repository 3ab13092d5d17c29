"""Numbers that only an evaluation looks at, against scikit-learn and plain loops."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from descent.evaluation.judging import BINS, calibration_error, class_rows

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("classes", [2, 5, 30])
def test_a_row_for_each_class_is_scikit_learns(classes):
    targets, guesses = RANDOM.integers(0, max(classes - 1, 2), (2, 200))
    labels = range(classes)
    rows = class_rows(confusion_matrix(targets, guesses, labels=labels), [str(one) for one in labels])
    expected = precision_recall_fscore_support(targets, guesses, labels=labels, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose([row[name] for row in rows], values, atol=1e-12)


def by_hand(chances, targets):
    error = 0.0
    for one in range(BINS):
        low, high = one / BINS, (one + 1) / BINS
        inside = [row for row, p in enumerate(chances.max(1)) if low < p <= high]
        if inside:
            confidence = np.mean(chances.max(1)[inside])
            accuracy = np.mean(chances.argmax(1)[inside] == targets[inside])
            error += len(inside) / len(targets) * abs(confidence - accuracy)
    return error


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_calibration_error_is_that_of_a_plain_loop(classes):
    chances = RANDOM.dirichlet(np.ones(classes), 300)
    targets = RANDOM.integers(0, classes, 300)
    assert calibration_error(chances, targets) == pytest.approx(by_hand(chances, targets), abs=1e-12)


def test_certain_and_right_is_calibrated_certain_and_wrong_is_not():
    certain = np.eye(3)
    assert calibration_error(certain, np.arange(3)) == 0
    assert calibration_error(certain, np.array([1, 2, 0])) == 1
