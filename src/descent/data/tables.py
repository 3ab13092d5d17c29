"""The tables that ship with scikit-learn, their numbers as they were measured."""

from functools import partial
from typing import Any

import torch

from descent.data.source import Source

UNIT = " (cm)"  # of every column of iris


def _table(name: str, **how: Any) -> Source:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(**how)
    inputs, targets = torch.from_numpy(bunch.data).float(), torch.from_numpy(bunch.target)
    columns = tuple(str(column).removesuffix(UNIT).replace(" ", "_") for column in bunch.feature_names)
    classes = tuple(map(str, bunch.get("target_names", ())))
    if not classes:
        return Source(name, "regression", inputs, targets.float().unsqueeze(1), 1, columns=columns)
    return Source(name, "classification", inputs, targets.long(), len(classes), classes=classes, columns=columns)


breast_cancer = partial(_table, "breast_cancer")
wine = partial(_table, "wine")
iris = partial(_table, "iris")
diabetes = partial(_table, "diabetes", scaled=False)
