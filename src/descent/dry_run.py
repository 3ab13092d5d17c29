"""What a run would cost: built, one batch through forward and backward, nothing written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from descent import assembly
from descent.config import Config
from descent.engine import batch_loss
from descent.reproducibility import computing

TIMED_STEPS = 3


@dataclass(frozen=True)
class Price:
    parameters: int
    multiply_adds: int
    steps: int
    seconds: float
    threads: int


def price(config: Config) -> Price:
    """Build everything and time a few steps on one batch."""
    parts = assembly.assemble(config)
    engine, feed = parts.engine, parts.engine.recipe.feed
    device = torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
    if config.precision == "64":
        engine.double()
    engine.to(device).train()
    optimizer = engine.configure_optimizers()
    rows = slice(0, feed.batch_size)
    batch = engine.scaling(parts.data.train.inputs[rows].to(device)), parts.data.train.targets[rows].to(device)
    with computing(parts.threads, config.determinism == "exact"):
        for step in range(TIMED_STEPS + 1):
            if step == 1:
                started = time.perf_counter()  # the first pays for allocations
            optimizer.zero_grad()
            loss, _ = batch_loss(engine.model, batch, {}, engine.recipe.loss)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            float(loss.detach())
        seconds = (time.perf_counter() - started) / TIMED_STEPS * feed.accumulate
    return Price(parts.parameters, parts.multiply_adds, parts.steps, seconds * parts.steps, parts.threads)


def show(configs: Sequence[Config]) -> None:
    """Every configuration's price, and the sum where there are several."""
    table = Table(title="dry run: nothing was written", title_justify="left")
    for column in ("settings", "parameters", "multiply-adds", "steps", "threads", "seconds, about"):
        table.add_column(column, justify="left" if column == "settings" else "right")
    total = 0.0
    for config in track(configs, "pricing", transient=True, disable=len(configs) < 2):
        cost = price(config)
        total += cost.seconds
        settings = " ".join(f"{group}={choice}" for group, choice in config.choices.items() if choice != "none")
        numbers = (
            f"{cost.parameters:,}",
            f"{cost.multiply_adds:,}",
            f"{cost.steps:,}",
            str(cost.threads),
            f"{cost.seconds:.1f}",
        )
        table.add_row(f"{settings} lr={config.lr:g} batch_size={config.batch_size} epochs={config.epochs}", *numbers)
    if len(configs) > 1:
        table.add_row(f"{len(configs)} runs, one after another", "", "", "", "", f"{total:.1f}")
    Console().print(table)
