"""What is measured against what, and what we promise.

Where the promise is close to what is measured, the contenders take short turns, each in a process of its own. The
ordinary ways run in one process with the product, fit by fit. Every process has Lightning in it and looks for no GPU
through NVML (descent.engine), which speeds up every contender alike.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import startup
import torch
from ordinary import Loaders, ordinary, picture_loaders, tensor_loaders
from pairing import Ratio, interleaved, quotients
from plain import plain
from product import product
from pytorch_lightning.loggers import MLFlowLogger
from report import Table
from torch import Tensor, nn
from turns import Fit, Gate, Prepare, taking_turns
from workloads import WORKLOADS, Workload

from descent.assembly import Parts, assemble
from descent.data.split import Split

PARTS = (*WORKLOADS, "startup")
PRODUCT, STEPS = "Descent", "Descent, every step logged"
PLAIN, ORDINARY, PICTURES = "plain loop", "ordinary Lightning", "ordinary Lightning, image by image"
PROMISES = {
    ("digits", PLAIN): 0.90,
    ("mnist", PLAIN): 0.95,
    ("cnn", PLAIN): 0.95,
    ("digits", ORDINARY): 4.0,
    ("mnist", ORDINARY): 1.8,
    ("mnist", PICTURES): 3.0,
    ("mnist", STEPS): 0.95,
}
CLOSE = 2  # times as many pairs where the promise is close to what is measured
BUSY = 0.5
Contender = Callable[[int], float]  # epochs → seconds


def measure(parts: Sequence[str], rounds: int, quick: bool, threads: int | None, root: Path) -> list[Table]:
    """The tables, in the order of PARTS."""
    ratios, seconds = Table.of_ratios(), Table.of_seconds()
    if (load := os.getloadavg()[0]) > BUSY:
        _say(f"the machine is busy (load {load:.1f}): what uses several threads will come out wrong")
    rounds = 1 if quick else rounds
    if "startup" in parts:
        _time_commands(seconds, rounds, root)
    for name in (name for name in WORKLOADS if name in parts):
        workload = WORKLOADS[name].quick() if quick else WORKLOADS[name]
        workload = replace(workload, threads=threads or workload.threads)
        _compare(workload, rounds, quick, root, ratios, seconds)
    return [table for table in (ratios, seconds) if table.rows]


def _compare(workload: Workload, rounds: int, quick: bool, root: Path, ratios: Table, seconds: Table) -> None:
    _say(f"{workload.title}: in turns")
    turns: dict[str, Prepare] = {
        PLAIN: partial(_by_hand, workload),
        PRODUCT: partial(_ours, workload, ()),
        STEPS: partial(_ours, workload, ("tracking.steps=true",)),
    }
    close = taking_turns(turns, rounds if quick else CLOSE * rounds, root / workload.name)
    _say(f"{workload.title}: the ordinary way")
    torch.set_num_threads(workload.threads)
    around: list[float] = []
    contenders = _whole_fits(workload, root, around)
    if not quick:
        interleaved({name: partial(run, 1) for name, run in contenders.items()}, 1)
        around.clear()
    far = interleaved({name: partial(run, workload.epochs) for name, run in contenders.items()}, rounds)
    pairs = {
        PLAIN: quotients(close[PLAIN], close[PRODUCT]),
        **{name: quotients(far[name], far[PRODUCT]) for name in far if name != PRODUCT},
        STEPS: quotients(close[PRODUCT], close[STEPS]),
    }
    for name, those in pairs.items():
        title = "itself without tracking.steps" if name == STEPS else name
        ratios.rows.append(Ratio(workload.title, title, those, PROMISES.get((workload.name, name))).cells())
    for name, times in {**far, **close}.items():
        seconds.add(f"{workload.title}, {workload.epochs} epochs, threads {workload.threads}: {name}", times)
    seconds.add(f"{workload.title}: Descent outside the fit", around)


def _ours(workload: Workload, more: tuple[str, ...], gate: Gate) -> Fit:
    """The product, warmed up for what is longer than that."""
    if workload.epochs > 1:
        product(workload.config(1, *more))
    return lambda: product(workload.config(workload.epochs, *more), gate).fit


def _by_hand(workload: Workload, gate: Gate) -> Fit:
    """The plain loop, warmed up for what is longer than that."""
    torch.set_num_threads(workload.threads)
    needs = _needs(workload)
    fit = partial(plain, needs.model, needs.train, needs.val, needs.lr, needs.rows)
    if workload.epochs > 1:
        fit(1)

    def timed() -> float:
        with gate():
            return fit(workload.epochs)

    return timed


def _whole_fits(workload: Workload, root: Path, around: list[float]) -> dict[str, Contender]:
    """One after the other in this process; the product stands between the others, so that each is its neighbour."""
    needs = _needs(workload)
    data = needs.train, needs.val, needs.rows

    def ours(epochs: int) -> float:
        timed = product(workload.config(epochs))
        around.append(timed.around)
        return timed.fit

    def lightning(loaders: Loaders, epochs: int) -> float:
        logger = MLFlowLogger("ordinary", tracking_uri=f"sqlite:///{root}/ordinary.db", artifact_location=str(root))
        return ordinary(needs.model, loaders, needs.classes, needs.lr, epochs, logger, "cpu")

    contenders: dict[str, Contender] = {ORDINARY: partial(lightning, tensor_loaders(*data)), PRODUCT: ours}
    if (workload.name, PICTURES) in PROMISES:
        contenders[PICTURES] = partial(lightning, picture_loaders(*data))
    return contenders


class _Needs(NamedTuple):
    """What a contender that is not the product is given."""

    model: nn.Module
    classes: int
    train: tuple[Tensor, Tensor]
    val: tuple[Tensor, Tensor]
    lr: float
    rows: int


def _needs(workload: Workload) -> _Needs:
    config = workload.config(workload.epochs)
    parts = assemble(config)
    assert isinstance(config.batch_size, int)
    train, val = _scaled(parts, parts.data.train), _scaled(parts, parts.data.val)
    return _Needs(parts.engine.model, parts.data.outputs, train, val, config.lr, config.batch_size)


def _scaled(parts: Parts, split: Split | None) -> tuple[Tensor, Tensor]:
    assert split is not None
    return parts.engine.scaling(split.inputs), split.targets


def _time_commands(seconds: Table, rounds: int, root: Path) -> None:
    _say("commands")
    for argument in startup.ANSWERS:
        seconds.add(f"train.py {argument}", [startup.answer(argument, root) for _ in range(rounds)], most=1.0)
    firsts, ends = zip(*(startup.first_epoch(root) for _ in range(rounds)), strict=True)
    seconds.add("train.py: until the first epoch's line", list(firsts), most=15.0)
    seconds.add("train.py: until it has ended", list(ends))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
