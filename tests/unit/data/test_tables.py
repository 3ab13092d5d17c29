"""The tables are scikit-learn's, number for number, with names that a command line takes."""

import re

import numpy as np
import pytest
import sklearn.datasets

from descent.data import tables

HOW = {"diabetes": {"scaled": False}}
NAMES = {
    "breast_cancer": ("mean_radius", "worst_fractal_dimension"),
    "wine": ("alcohol", "proline"),
    "iris": ("sepal_length", "petal_width"),
    "diabetes": ("age", "s6"),
}
CLASSES = {
    "breast_cancer": ("malignant", "benign"),
    "wine": ("class_0", "class_1", "class_2"),
    "iris": ("setosa", "versicolor", "virginica"),
    "diabetes": (),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_scikit_learns(name):
    source, theirs = getattr(tables, name)(), getattr(sklearn.datasets, f"load_{name}")(**HOW.get(name, {}))
    np.testing.assert_allclose(source.inputs, theirs.data, rtol=1e-6)
    np.testing.assert_array_equal(source.targets.numpy().reshape(-1), theirs.target)
    assert source.name == name
    assert source.classes == CLASSES[name]
    assert (source.columns[0], source.columns[-1]) == NAMES[name]
    assert len(set(source.columns)) == source.inputs.shape[1]
    assert all(re.fullmatch(r"[A-Za-z0-9_/]+", column) for column in source.columns)


def test_a_regressions_targets_are_rows():
    source = tables.diabetes()
    assert (source.task, source.outputs, source.targets.shape) == ("regression", 1, (442, 1))
