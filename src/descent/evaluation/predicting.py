"""Predictions for data that no run has seen: a table, a folder of images, an array."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descent import rules
from descent.data.encoding import encode_table
from descent.data.pictures import FORMATS, is_picture, pixels_of
from descent.data.shaping import resized
from descent.data.table import read_table
from descent.durable import UNFINISHED
from descent.errors import DataError, EnvironmentFault
from descent.evaluation.judging import values_of
from descent.evaluation.recovering import ROWS, Recovered
from descent.rules import LONGEST_LINE, cut
from descent.tasks.measures import class_names

ARRAY = ".npy"
FAINT = 127  # of 255: no set of pictures is darker


def refuse_place(out: Path, source: Path) -> None:
    """A file that cannot be written, or that is read."""
    from descent.evaluation.evaluating import refuse_folder

    refuse_folder("out", out)
    if out.absolute() == source.absolute():
        raise rules.refuse("out", out, "another file than predict=…", "what is read is not written over")


def predict(run: Recovered, source: Path, out: Path) -> int:
    """A row for each sample: what it is called, the prediction, and the probability of each class."""
    names, inputs = read_samples(run, source)
    values = values_of(run, run.outputs(inputs))
    if run.is_classifier:
        classes = class_names(run.data)
        header = [names[0], "predicted", *(f"p_{name}" for name in classes)]
        rows = [[classes[row.argmax()], *row.tolist()] for row in values]
    else:
        header = [names[0], *(["predicted"] if values.shape[1] == 1 else _numbered("predicted", values.shape[1]))]
        rows = [row.tolist() for row in values]
    _write(out, header, [[name, *row] for name, row in zip(names[1], rows, strict=True)])
    print(f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} predicted: {out}")
    return len(rows)


def read_samples(run: Recovered, source: Path) -> tuple[tuple[str, Sequence[Any]], Tensor]:
    """What the samples are called, with the heading of that; and they themselves, as the run was trained on such."""
    if source.is_dir():
        return _folder(run, source)
    if not source.exists():
        raise _fault(source, "no such file or folder")
    inputs = _array(run, source) if source.suffix == ARRAY else _table(run, source)
    return ("row", range(1, len(inputs) + 1)), inputs


def _table(run: Recovered, source: Path) -> Tensor:
    if run.data.encoding:
        return encode_table(source, run.data.encoding)
    shape, table = run.data.input_shape, read_table(source)
    if len(shape) != 1:
        raise _fault(source, f"this run was trained on samples of shape {_shown(shape)}; give a folder or {ARRAY}")
    names = list(run.data.columns) or list(table.columns)
    if len(names) != shape[0]:
        raise _fault(source, f"line 1: {len(names)} columns, allowed the {shape[0]} features of this run")
    for name in names:
        table.known("needed", name)
    values = np.empty((len(table), len(names)), np.float32)
    for column, name in enumerate(names):
        for row, text in enumerate(table.columns[name]):
            values[row, column] = _number(table, row, name, text)
    return torch.from_numpy(values)


def _number(table: Any, row: int, name: str, text: str) -> float:
    from descent.data.columns import number

    try:
        return number(text)
    except ValueError as error:
        raise table.damaged(row, f"column {name}: {error}") from None


def _array(run: Recovered, source: Path) -> Tensor:
    try:
        values = np.load(source, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _fault(source, f"no array that can be read ({type(error).__name__})") from None
    wanted, like = run.data.input_shape, run.data.train.inputs
    if values.shape[1:] != wanted or not len(values):
        raise _fault(source, f"shape {_shown(values.shape)}, allowed {_shown(('rows', *wanted))}")
    if values.dtype.kind not in "biuf":
        raise _fault(source, f"{values.dtype}, allowed numbers")
    broken = ~np.isfinite(values.reshape(len(values), -1).astype(np.float64)).all(1)
    if broken.any():
        raise _fault(source, f"row {int(broken.argmax()) + 1}: a value that is not finite")
    if like.dtype == torch.int64:
        most = int(like.max())
        wrong = ((values < 0) | (values > most) | (values != np.floor(values))).reshape(len(values), -1).any(1)
        if wrong.any():
            raise _fault(source, f"row {int(wrong.argmax()) + 1}: allowed token numbers of 0 to {most}")
        return torch.from_numpy(values.astype(np.int64))
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _folder(run: Recovered, source: Path) -> tuple[tuple[str, Sequence[Any]], Tensor]:
    """Every picture in it and in the folders below, brought to the size and the channels of the training."""
    shape, like = run.data.input_shape, run.data.train.inputs
    if len(shape) != 3 or shape[0] not in (1, 3) or like.dtype != torch.uint8:
        raise _fault(source, f"a folder; this run was trained on {like.dtype} of shape {_shown(shape)}, give {ARRAY}")
    files = sorted(file for file in source.rglob("*") if file.is_file() and is_picture(file))
    if not files:
        raise _fault(source, f"no picture in it; allowed {' '.join(FORMATS)}")
    images = torch.cat([resized(pixels_of(file, shape[0])[None], shape[1:]) for file in files])
    brightest = int(like[:ROWS].max())
    if brightest <= FAINT:  # its bytes do not count to 255: those of digits count to 16
        images = (images.float() * brightest / 255).round().to(torch.uint8)
    return ("file", [file.relative_to(source).as_posix() for file in files]), images


def _write(out: Path, header: list[str], rows: list[list[Any]]) -> None:
    """Whole or not at all."""
    unfinished = out.with_name(f"{out.name}.{os.getpid()}{UNFINISHED}")
    try:
        with unfinished.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows(rows)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(out)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise EnvironmentFault(cut(f"out: {out} cannot be written: {error.strerror}", LONGEST_LINE)) from None


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{at}" for at in range(count)]


def _shown(shape: Sequence[Any]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _fault(source: Path, what: str) -> DataError:
    return DataError(cut(f"{source}: {what}", LONGEST_LINE))
