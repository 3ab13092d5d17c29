"""Any table in a text file as a dataset: a target column, and features by the types that its values show."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from descent.data import encoding, tokens
from descent.data.columns import is_missing, is_number, number
from descent.data.faults import fault
from descent.data.source import Encoded, Source
from descent.data.table import Table, read_table

LEFT_OUT = ("ignore", "text")  # types of columns that are no features


def csv_table(
    path: str,
    target: str | int,
    task: str = "classification",
    separator: str = "auto",
    ignore: Sequence[str | int] = (),
    types: Mapping[str, str] | None = None,
    text: str | int | None = None,
    vocabulary: int = 10000,
    length: int = 100,
    max_categories: int = 50,
    rare: int = 2,
) -> Source:
    """The file's rows; how they become numbers is decided once the training rows are known."""
    table = read_table(path, separator)
    target, ignored = str(target), list(map(str, ignore))
    types = {str(name): kind for name, kind in (types or {}).items()}
    table.known("dataset.target", target)
    for key, names in (("dataset.ignore", ignored), ("dataset.types", types)):
        for name in names:
            table.known(key, name)
    classes: tuple[str, ...] = ()
    if task == "classification":
        targets, classes = _classes(table, target)
    else:
        targets = _numbers(table, target)
    if text is None:
        left_out = {target, *ignored, *(name for name, kind in types.items() if kind in LEFT_OUT)}
        columns = tuple(name for name in table.columns if name not in left_out)
        encode = partial(_encode_columns, table, types, max_categories, rare)
    else:
        columns = (table.known("dataset.text", str(text), [name for name in table.columns if name != target]),)
        encode = partial(_encode_text, table, vocabulary, length)
    if not columns:
        raise fault(table.path, f"no column beside the target {target}; add one, or ignore fewer")
    about = {"separator": separator, "task": task, "target": target, "classes": list(classes)}
    return Source(
        "csv",
        task,
        _fingerprints(table, (*columns, target)),
        targets,
        len(classes) or 1,
        classes=classes,
        columns=columns,
        encode=lambda rows, chosen: encode(about, rows.tolist(), chosen),
    )


def _encode_columns(
    table: Table,
    types: Mapping[str, str],
    max_categories: int,
    rare: int,
    about: encoding.Encoding,
    rows: Sequence[int],
    names: Sequence[str],
) -> Encoded:
    columns = encoding.columns_by(table, names, rows, types, max_categories, rare)
    found = {**about, "kind": "table", "columns": columns}
    features = encoding.column_names(found)
    return Encoded(encoding.encoded(table, found), features, {**found, "features": list(features)})


def _encode_text(
    table: Table, vocabulary: int, length: int, about: encoding.Encoding, rows: Sequence[int], names: Sequence[str]
) -> Encoded:
    texts = [table.columns[names[0]][row] for row in rows]
    words = tokens.vocabulary(texts, vocabulary)
    if not words:
        raise fault(table.path, f"column {names[0]}: no word in the training rows; choose another dataset.text")
    longest = max(len(tokens.words_of(text)) for text in texts)
    found = {**about, "kind": "sequence", "text": names[0], "words": words, "length": min(length, longest)}
    return Encoded(encoding.encoded(table, found), (), found)


def _classes(table: Table, target: str) -> tuple[Tensor, tuple[str, ...]]:
    """Class numbers and names, sorted: integers by value, texts by the alphabet."""
    texts = [text.strip() for text in table.columns[target]]
    _refuse_missing(table, target)
    if all(map(is_number, texts)):
        values = [_class_number(table, target, row) for row in range(len(texts))]
        classes = tuple(map(str, sorted(set(values))))
        texts = list(map(str, values))
    else:
        classes = tuple(sorted(set(texts)))
    if len(classes) < 2:
        raise fault(table.path, f"column {target}: one class only, {classes[0]}; two are needed to tell apart")
    for name, count in Counter(texts).items():
        if count == 1:
            why = f"column {target}: class {name} has one sample; add some, drop it, or dataset.task=regression"
            raise table.damaged(texts.index(name), why)
    place = {name: index for index, name in enumerate(classes)}
    return torch.tensor([place[text] for text in texts]), classes


def _class_number(table: Table, target: str, row: int) -> int:
    value = _number(table, target, row)
    if value != int(value):
        text = table.columns[target][row].strip()
        raise table.damaged(row, f"column {target}: {text} is no class; use dataset.task=regression")
    return int(value)


def _numbers(table: Table, target: str) -> Tensor:
    _refuse_missing(table, target)
    values = np.array([_number(table, target, row) for row in range(len(table))], dtype=np.float32)
    if values.min() == values.max():
        raise fault(
            table.path, f"column {target}: every row has {values[0]:g}; nothing to learn, choose another target"
        )
    return torch.from_numpy(values).unsqueeze(1)


def _number(table: Table, target: str, row: int) -> float:
    try:
        return number(table.columns[target][row])
    except ValueError as error:
        hint = "" if ": " in str(error) else "; mend it or dataset.task=classification"
        raise table.damaged(row, f"column {target}: {error}{hint}") from None


def _refuse_missing(table: Table, target: str) -> None:
    for row, text in enumerate(table.columns[target]):
        if is_missing(text):
            shown = text.strip() or "nothing"
            raise table.damaged(row, f"column {target}: {shown} where the target should be; fill it in or drop the row")


def _fingerprints(table: Table, names: Sequence[str]) -> Tensor:
    """Stands for the inputs until they are encoded: a digest of each row's texts, as they are written."""
    rows = zip(*(table.columns[name] for name in names), strict=True)
    digests = [hashlib.blake2b("\0".join(row).encode(), digest_size=16).digest() for row in [tuple(names), *rows]]
    header, *others = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), 16)
    return torch.from_numpy(np.stack(others) ^ header)
