"""From all samples of a dataset to data that can be trained on."""

from collections.abc import Mapping
from typing import Any

from descent.data.knobs import knobs_of
from descent.data.shaping import shaped
from descent.data.source import Source, refuse_broken
from descent.data.split import Data, split
from descent.errors import DataError


def prepared(source: Source, dataset: Mapping[str, Any], folds: int = 1, fold: int = 0) -> Data:
    """The samples under the common knobs among the dataset's settings, split."""
    refuse_broken(source)
    _refuse_other_facts(source, dataset)
    knobs = knobs_of(dataset)
    return split(
        shaped(source, knobs),
        val_fraction=knobs.val_fraction,
        test_fraction=knobs.test_fraction,
        split_seed=knobs.split_seed,
        val_split=knobs.val_split,
        fraction=knobs.fraction,
        folds=folds,
        fold=fold,
    )


def _refuse_other_facts(source: Source, dataset: Mapping[str, Any]) -> None:
    """What the YAML states was believed when the command was checked. Unverified files may hold any number."""
    tests = len(source.test[1]) if source.test else None
    found = {"task": source.task, "samples": len(source.targets), "classes": source.outputs, "test_samples": tests}
    if dataset.get("verify") is False:
        found = {fact: found[fact] for fact in ("task", "classes")}
    for fact, value in found.items():
        stated = dataset.get(fact)
        if stated is not None and stated != value:
            raise DataError(f"dataset {source.name}: {fact} is stated as {stated} and is {value}; mend its YAML")
