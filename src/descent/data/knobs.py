"""The knobs that every dataset has, and how many samples they leave to whom. Nothing heavy is imported here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

# What a dataset's YAML states of its data, for checks before it is read. A target is given those that it asks for.
FACTS = ("task", "kind", "samples", "classes", "test_samples", "mirrored")
# Knobs for data of one kind.
KINDS = {"resize": "image", "channels": "image", "features": "table"}


@dataclass(frozen=True)
class Knobs:
    """conf/every_dataset.yaml explains them."""

    val_fraction: float
    val_split: Literal["stratified", "last"]
    test_fraction: float
    split_seed: int
    fraction: float
    resize: int | list[int] | None
    channels: int | None
    features: list[int | str] | None
    scaling: Literal["standard", "unit", "none"]
    cache: str | None


COMMON = tuple(Knobs.__dataclass_fields__)


class Sizes(NamedTuple):
    """Samples of each split."""

    train: int
    val: int
    test: int


def knobs_of(dataset: Mapping[str, Any]) -> Knobs:
    """The common knobs among the settings of a dataset."""
    return Knobs(**{key: dataset[key] for key in COMMON})


def own_settings(dataset: Mapping[str, Any], takes: Collection[str]) -> dict[str, Any]:
    """As the target takes them: without the common knobs and the facts that it does not ask for."""
    left_out = {key for key in (*COMMON, *FACTS) if key not in takes}
    return {key: value for key, value in dataset.items() if key not in left_out}


def sizes(
    samples: int,
    val_fraction: float,
    test_fraction: float,
    fraction: float = 1.0,
    folds: int = 1,
    fold: int = 0,
    test_samples: int | None = None,
) -> Sizes:
    """How a split comes out; `samples` are those without a test part of the dataset's own."""
    held_out = 0 if test_samples else round(samples * test_fraction)
    rest = samples - held_out
    vals = round(samples * val_fraction) if folds == 1 else len(range(fold, rest, folds))
    return Sizes(round((rest - vals) * fraction), vals, test_samples or held_out)
