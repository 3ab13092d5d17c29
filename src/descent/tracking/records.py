"""What a run has to say, as plain values: the only things that travel from training to the store.

On disk a record is one line: the CRC of the rest, a space, and its fields as JSON.
"""

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Opened:
    """A sitting begins: the first creates the stored run, each later one sets it running again."""

    name: str
    tags: dict[str, str]
    parent: str | None  # the local id of the run that this one belongs to
    timestamp: int


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
    """A folder of the outbox whose content stands as it will stand among the artifacts."""

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
    """A saved MLflow model in a folder of the outbox."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Status:
    """How a sitting ended, and when."""

    status: str
    timestamp: int


Record = Opened | Params | Tags | Metrics | Series | Files | Dataset | Model | Status
Fault = Literal["damaged", "passed over"]
KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Opened, Params, Tags, Metrics, Series, Files, Dataset, Model, Status)
}


class Damaged(ValueError):
    """A line that is not as it was written."""


def encode(record: Record) -> bytes:
    """One line of the log."""
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    if isinstance(record, Series):
        fields["values"] = base64.b64encode(record.values.tobytes()).decode()
    body = json.dumps([type(record).__name__, fields], separators=(",", ":"), default=str).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def may_be(line: bytes, kinds: tuple[type[Any], ...]) -> bool:
    """Whether a line is of one of these kinds, or damaged, told from its beginning."""
    name = line[len('00000000 ["') :].partition(b'"')[0].decode(errors="replace")
    return KINDS.get(name) in (*kinds, None)


def decode(line: bytes) -> Record:
    """The record of a line; Damaged if it is not one."""
    digest, _, body = line.rstrip(b"\n").partition(b" ")
    if b"%08x" % zlib.crc32(body) != digest:
        raise Damaged
    kind, fields = json.loads(body)
    if kind == "Series":
        fields["values"] = np.frombuffer(base64.b64decode(fields["values"]), dtype=np.float64)
    record: Record = KINDS[kind](**fields)
    return record


def points(record: Record) -> int:
    """How many numbers it tells."""
    if isinstance(record, Series):
        return len(record.values)
    return len(record.values) if isinstance(record, Metrics) else 0
