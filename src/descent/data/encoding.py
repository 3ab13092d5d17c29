"""A table as numbers, by statistics of the training rows alone, kept as a plain dict that encodes a later table too.

Numbers: missing ones take the training median. Booleans: likewise, as 0 and 1. Categories: a 0/1 column each, the most
frequent first, and one for every other. Where a training value is missing a 0/1 column says so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from descent.data import tokens
from descent.data.columns import boolean, is_number, kind_of, missing_among, number, plain_numbers
from descent.data.faults import fault
from descent.data.table import Table, read_table

READERS = {"number": number, "boolean": boolean}

Encoding = dict[str, Any]


def encode_table(path: str | Path, encoding: Mapping[str, Any]) -> Tensor:
    """Another table by a run's encoding.json, one row a sample; it needs the columns that were trained on."""
    table = read_table(path, encoding["separator"])
    names = [encoding["text"]] if encoding["kind"] == "sequence" else [column["name"] for column in encoding["columns"]]
    for name in names:
        table.known("needed", name)
    return encoded(table, encoding)


def encoded(table: Table, encoding: Mapping[str, Any]) -> Tensor:
    """A table's rows as a model reads them: token ids, or float32."""
    if encoding["kind"] == "sequence":
        return tokens.encoded(table.columns[encoding["text"]], encoding["words"], encoding["length"])
    parts = [_column(table, column) for column in encoding["columns"]]
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def column_names(encoding: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the encoded columns, in their order; token rows have none."""
    return tuple(name for column in encoding.get("columns", ()) for name in _names(column))


def told(encoding: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How columns were read, for people: what they are taken for, and their names."""
    if encoding["kind"] == "sequence":
        return [("text", f"{encoding['text']}, {len(encoding['words']):,} words, {encoding['length']} of a row read")]
    kinds = {"number": "numbers", "boolean": "yes or no", "category": "categories"}
    lines = []
    for kind, label in kinds.items():
        names = [_told(column) for column in encoding["columns"] if column["type"] == kind]
        lines += [(label, ", ".join(names))] if names else []
    gaps = [column["name"] for column in encoding["columns"] if column["missing"]]
    return [*lines, *([("with gaps", ", ".join(gaps))] if gaps else [])]


def _told(column: Mapping[str, Any]) -> str:
    return f"{column['name']} ({len(column['categories'])})" if "categories" in column else str(column["name"])


def columns_by(
    table: Table, names: Sequence[str], rows: Sequence[int], types: Mapping[str, str], max_categories: int, rare: int
) -> list[Encoding]:
    """How each column is encoded, from the given rows and nothing else."""
    return [_fitted(table, name, rows, types.get(name), max_categories, rare) for name in names]


def _fitted(table: Table, name: str, rows: Sequence[int], kind: str | None, max_categories: int, rare: int) -> Encoding:
    texts = table.columns[name]
    missing = missing_among(texts)
    present = [row for row in rows if not missing[row]]
    if not present:
        line = f"column {name}: every value of the training rows is missing; use dataset.ignore=[{name}]"
        raise fault(table.path, line)
    said, kind = kind, kind or kind_of(texts[row] for row in present)
    found: Encoding = {"name": name, "type": kind, "missing": len(present) < len(rows)}
    if kind == "category":
        _refuse_too_many(table, name, present, max_categories, said)
        return found | {"categories": _categories(table, name, present, rare)}
    return found | {"median": float(np.median(_values(table, name, READERS[kind], present)))}


def _categories(table: Table, name: str, rows: Sequence[int], rare: int) -> list[str]:
    counts = Counter(table.columns[name][row].strip() for row in rows)
    return sorted((text for text in counts if counts[text] >= rare), key=lambda text: (-counts[text], text))


def _refuse_too_many(table: Table, name: str, rows: Sequence[int], most: int, said: str | None) -> None:
    texts = table.columns[name]
    count = len({texts[row].strip() for row in rows})
    if count <= most:
        return
    strange = [row for row in rows if not is_number(texts[row])]
    if said is None and 2 * len(strange) < len(rows):  # numbers, but for a few
        raise table.damaged(strange[0], f"column {name}: {texts[strange[0]]} is no number; mend it or leave it empty")
    do = f"dataset.ignore=[{name}], types={{{name}: text}} or max_categories={count}"
    raise fault(table.path, f"column {name}: {count} categories, at most {most}; use {do}")


def _column(table: Table, column: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """A column of the table as its encoded columns, [rows, columns]."""
    texts = table.columns[column["name"]]
    missing = missing_among(texts)
    if column["type"] == "category":
        values = _one_hot([text.strip() for text in texts], column["categories"])
        values[missing] = 0.0
        values[:, -1] += missing & (not column["missing"])
    else:
        values = np.full((len(texts), 1), column["median"])
        present = np.flatnonzero(~missing)
        values[present, 0] = _values(table, column["name"], READERS[column["type"]], present.tolist())
    return np.concatenate([values, missing[:, None]], axis=1) if column["missing"] else values


def _one_hot(texts: Sequence[str], categories: Sequence[str]) -> npt.NDArray[np.float64]:
    """A column for each category, and the last for whatever is none of them."""
    place = {text: index for index, text in enumerate(categories)}
    values = np.zeros((len(texts), len(categories) + 1))
    values[np.arange(len(texts)), [place.get(text, len(categories)) for text in texts]] = 1.0
    return values


def _values(table: Table, name: str, reader: Any, rows: Sequence[int]) -> npt.NDArray[np.float64]:
    texts = table.columns[name]
    if reader is number and (plain := plain_numbers([texts[row] for row in rows])) is not None:
        return plain
    values = np.empty(len(rows))
    for place, row in enumerate(rows):
        try:
            values[place] = reader(texts[row])
        except ValueError as error:
            hint = f"mend it, or dataset.types={{{name}: category}}"
            raise table.damaged(row, f"column {name}: {error}; {hint}") from None
    return values


def _names(column: Mapping[str, Any]) -> list[str]:
    name = column["name"]
    shown = (
        [f"{name}={text}" for text in column["categories"]] + [f"{name}=other"] if "categories" in column else [name]
    )
    return [*shown, f"{name} is missing"] if column["missing"] else shown
