"""What the engine is fed: chunks of consecutive minibatches, in an order that is a function of seed and epoch.

A chunk's rows are gathered at once and cut into minibatches by the engine. Data in memory gives large chunks; data
read through a DataLoader gives one step's minibatches at a time, in the same order and so to the same bits.

Inputs come out scaled. A split that is small enough in memory is scaled once, all others a chunk at a time: element by
element, and so to the same bits too.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from descent import lifeline
from descent.data.split import Split
from descent.reproducibility import epoch_order

EVALUATION_ROWS = 1024
SCALED_ONCE = 2**27  # numbers, 512 MiB of them in float32
ALIGNMENT = 64  # bytes: torch's own for what it allocates

Scale = Callable[[Tensor], Tensor]


def _as_it_is(rows: Any) -> Any:
    return rows


class Chunk(NamedTuple):
    """Rows of whole steps; `first` is the place in the epoch of its first minibatch, `rows` counts all devices'."""

    inputs: Tensor
    targets: Tensor
    first: int
    rows: int


@dataclass(frozen=True)
class Feed:
    """How an epoch is cut: rows a minibatch, minibatches a step, steps a chunk."""

    batch_size: int
    accumulate: int
    chunk: int
    drop_last: bool
    seed: int
    stream: bool = False
    workers: int = 0
    devices: int = 1  # that share a minibatch
    checkpoint_every: int | None = None  # steps of the training

    def batches(self, rows: int) -> int:
        """Minibatches of an epoch; a last one with less than a row for each device is left out."""
        full, tail = divmod(rows, self.batch_size)
        return full + (tail >= self.devices and not self.drop_last)

    def steps(self, rows: int) -> int:
        """Optimizer steps of an epoch."""
        return -(-self.batches(rows) // self.accumulate)

    def at(self, batch_size: int) -> "Feed":
        """With minibatches of another size, and about as many rows a chunk."""
        if batch_size == self.batch_size:
            return self
        return replace(self, batch_size=batch_size, chunk=max(1, self.chunk * self.batch_size // batch_size))


class TrainingLoader:
    """Chunks of one epoch after another; the engine says, before each, which one and from which minibatch on.

    A chunk ends early where so many steps of the training are done that a checkpoint is due.
    """

    def __init__(self, split: Split, feed: Feed, device: torch.device, scale: Scale = _as_it_is, rank: int = 0) -> None:
        self.feed = feed
        self._device, self._rank = device, rank
        self._split, self._scale = (split, scale) if feed.stream else _in_memory(split, device, scale)
        self._batches = _Batches()
        self._reader = _reader(split, self._batches, feed.workers) if feed.stream else None
        self.begin(0, 0)

    def begin(self, epoch: int, minibatch: int, feed: Feed | None = None, before: int | None = None) -> None:
        """The next pass is over that epoch, from that minibatch on, with `before` steps made in the epochs before it.

        Without a feed it is cut as the pass before; without `before` all were cut alike.
        """
        self.epoch, self._first, self.feed = epoch, minibatch, feed or self.feed
        self._before = epoch * self.feed.steps(len(self._split)) if before is None else before
        self._ends = self._chunk_ends()

    def __len__(self) -> int:
        return max(1, len(self._ends))

    def __iter__(self) -> Iterator[Chunk]:
        feed, first = self.feed, self._first
        if not self._ends:
            yield Chunk(self._split.inputs[:0], self._split.targets[:0], first, 0)
            return
        rows = min(len(self._split), feed.batches(len(self._split)) * feed.batch_size)
        order = epoch_order(feed.seed, self.epoch, len(self._split))[:rows]
        starts = [first, *self._ends[:-1]]
        whole = [
            order[start * feed.batch_size : end * feed.batch_size]
            for start, end in zip(starts, self._ends, strict=True)
        ]
        pieces = [piece[self._rank :: feed.devices] for piece in whole]
        for start, piece, (inputs, targets) in zip(starts, whole, self._gathered(pieces), strict=True):
            yield Chunk(self._scale(inputs), targets, start, len(piece))

    def close(self) -> None:
        """End its processes."""
        _close(self._reader)

    def _chunk_ends(self) -> list[int]:
        """Minibatches of the epoch after which a chunk ends, behind the first."""
        feed = self.feed
        batches, steps = feed.batches(len(self._split)), feed.steps(len(self._split))
        done = self._first // feed.accumulate
        chunk = 1 if feed.stream else feed.chunk
        ends = set(range(done + chunk, steps, chunk))
        if feed.checkpoint_every:
            due = range(-self._before % feed.checkpoint_every, steps, feed.checkpoint_every)
            ends |= {step for step in due if step > done}
        minibatches = [step * feed.accumulate for step in sorted(ends)]
        return [*minibatches, batches] if self._first < batches else []

    def _gathered(self, pieces: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        if self._reader is not None:  # it is false while it has no batches
            self._batches.pieces = pieces
            for inputs, targets in self._reader:
                yield inputs.to(self._device, non_blocking=True), targets.to(self._device, non_blocking=True)
            return
        inputs, targets = self._split.inputs, self._split.targets
        for piece in pieces:
            rows = piece.to(self._device)
            yield inputs.index_select(0, rows), targets.index_select(0, rows)


class EvaluationLoader:
    """A split in its own order, in large pieces."""

    def __init__(self, split: Split, feed: Feed, device: torch.device, scale: Scale = _as_it_is) -> None:
        self._split, self._scale = (split, scale) if feed.stream else _in_memory(split, device, scale)
        self._device = device
        pieces = list(torch.split(torch.arange(len(split)), EVALUATION_ROWS))
        self._reader = _reader(split, _Batches(pieces), feed.workers) if feed.stream else None

    def __len__(self) -> int:
        return -(-len(self._split) // EVALUATION_ROWS)

    def __iter__(self) -> Iterator[Chunk]:
        split = self._split
        in_memory = zip(*(torch.split(part, EVALUATION_ROWS) for part in (split.inputs, split.targets)), strict=True)
        for inputs, targets in self._reader or in_memory:
            yield Chunk(self._scale(inputs.to(self._device)), targets.to(self._device), 0, len(targets))

    def close(self) -> None:
        """End its processes."""
        _close(self._reader)


class OneAfterAnother:
    """Several loaders as one; each chunk comes with the number of its loader."""

    def __init__(self, loaders: Sequence[EvaluationLoader]) -> None:
        self._loaders = loaders

    def __len__(self) -> int:
        return sum(map(len, self._loaders))

    def __iter__(self) -> Iterator[tuple[int, Chunk]]:
        for number, loader in enumerate(self._loaders):
            for chunk in loader:
                yield number, chunk


def minibatches(rows: Tensor, size: int) -> Sequence[Tensor]:
    """A chunk's rows, cut. Each piece starts on a boundary that kernels like, as it would if it were alone.

    Elsewhere they take other paths, and the last bits would depend on where in its chunk a minibatch stands.
    """
    pieces = torch.split(rows, size)
    is_aligned = len(pieces) == 1 or pieces[0].numel() * rows.element_size() % ALIGNMENT == 0
    return pieces if is_aligned else [piece.clone() for piece in pieces]


class _Batches:
    """A batch sampler whose batches are set from outside, so that one set of reading processes serves every epoch."""

    def __init__(self, pieces: Sequence[Tensor] = ()) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[list[int]]:
        return (piece.tolist() for piece in self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)


class _Rows(Dataset[tuple[Tensor, Tensor]]):
    """A split for a DataLoader, asked for many rows at a time."""

    def __init__(self, split: Split) -> None:
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self._split.inputs[index], self._split.targets[index]

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        rows = torch.as_tensor(indices)
        return self._split.inputs.index_select(0, rows), self._split.targets.index_select(0, rows)


def _end_with(parent: int, worker: int) -> None:
    lifeline.die_with_parent(parent)


def _reader(split: Split, batches: _Batches, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    return DataLoader(
        _Rows(split),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=partial(_end_with, os.getpid()),
        generator=torch.Generator(),  # of its own: it draws one number an epoch, which would be missed elsewhere
        collate_fn=_as_it_is,
    )


def _close(reader: DataLoader[Any] | None) -> None:
    if reader is not None:
        reader._iterator = None  # ends them at once; left to the collector, each is waited for five seconds


def _in_memory(split: Split, device: torch.device, scale: Scale) -> tuple[Split, Scale]:
    """The split on the device, and how what is taken from it is still to be scaled."""
    inputs, targets = split.inputs.to(device), split.targets.to(device)
    if inputs.numel() > SCALED_ONCE:
        return Split(inputs, targets), scale
    return Split(scale(inputs), targets), _as_it_is
