"""What a run has to say, as plain values: the only things that travel from training to the store."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Params:
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tags:
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Several metrics at one step and one time (milliseconds)."""

    values: dict[str, float]
    step: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Series:
    """One metric at consecutive steps, spread evenly over the time in which they were made."""

    key: str
    values: npt.NDArray[np.float64]
    first_step: int
    started: int
    ended: int


@dataclass(frozen=True, slots=True)
class Files:
    """A folder whose content stands as it will stand among the artifacts. Whoever delivers it may move it."""

    folder: str


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    digest: str
    context: str
    source: str
    profile: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A saved MLflow model in a folder of its own."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Status:
    """How the run ended, and when. Nothing follows it."""

    status: str
    timestamp: int


Record = Params | Tags | Metrics | Series | Files | Dataset | Model | Status
