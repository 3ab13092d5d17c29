"""What a run would cost: built, one batch through forward and backward, nothing written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from descent import assembly
from descent.config import Config, flat
from descent.recipe import batch_loss
from descent.regularization.method import moments
from descent.reproducibility import computing
from descent.trainer import device_of

TIMED_STEPS = 3


@dataclass(frozen=True)
class Price:
    parameters: int
    multiply_adds: int
    steps: int
    seconds: float
    threads: int


def price(config: Config) -> Price:
    """Build everything and time a few steps on one batch; seeds and folds cost the same, each of them."""
    parts = assembly.assemble(config)
    engine, feed = parts.engine, parts.engine.recipe.feed
    device = torch.device(device_of(config))
    if config.precision == "64":
        engine.double()
    engine.to(device).train()
    optimizer = engine.configure_optimizers()
    for method in engine.recipe.methods:
        method.prepare(engine.model)
    rows = slice(0, feed.batch_size)
    batch = engine.scaling(parts.data.train.inputs[rows].to(device)), parts.data.train.targets[rows].to(device)

    on_the_way_in = moments(engine.recipe.methods, "batch_in")

    def gradients() -> Tensor:
        optimizer.zero_grad()
        entering = batch
        for moment in on_the_way_in:
            entering = moment(entering)
        loss, _ = batch_loss(engine.model, entering, {}, engine.recipe.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    with computing(parts.threads, config.determinism == "exact"):
        for step in range(TIMED_STEPS + 1):
            if step == 1:
                started = time.perf_counter()  # the first pays for allocations
            float(engine.recipe.owner.step(gradients, optimizer))
        seconds = (time.perf_counter() - started) / TIMED_STEPS * feed.accumulate
    steps = parts.steps * config.repeats
    alike = config.epochs * feed.steps(len(parts.data.train)) * config.repeats  # larger minibatches take longer each
    return Price(parts.parameters, parts.multiply_adds, steps, seconds * alike, parts.threads)


def show(configs: Sequence[Config], trials: int | None = None, workers: int = 1) -> None:
    """A configuration's price, or a grid's: what differs, and the sum; with `trials` that many like these, a search."""
    console = Console()
    watched = len(configs) > 1 and console.is_terminal
    prices = [
        price(config) for config in track(configs, "pricing", console=console, transient=True, disable=not watched)
    ]
    if trials is None:
        console.print(_one(configs[0], prices[0]) if len(configs) == 1 else _many(configs, prices))
        if (most := min(workers, len(configs))) > 1:
            seconds = sum(cost.seconds for cost in prices) / most
            console.print(f"about {seconds:.1f} s with workers={workers}", highlight=False)
        return
    console.print(_many(configs, prices, "dry run of a search, the ends of its space: nothing was written"))
    each = sum(cost.seconds for cost in prices) / len(prices)
    alone = f"{trials} trials of {each:.1f} s on average: about {trials * each:.0f} s"
    console.print(f"{alone}, {trials * each / min(workers, trials):.0f} s with workers={workers}", highlight=False)


def _one(config: Config, cost: Price) -> Table:
    table = Table(title="dry run: nothing was written", show_header=False, title_justify="left")
    table.add_row("settings", " ".join(f"{group}={choice}" for group, choice in config.choices.items()))
    table.add_row("parameters", f"{cost.parameters:,}")
    table.add_row("multiply-adds a sample", f"{cost.multiply_adds:,}")
    repeats = f" in each of {config.repeats} repeats" if config.repeated else ""
    table.add_row("steps", f"{cost.steps:,} in {config.epochs} epochs{repeats}")
    table.add_row("threads", str(cost.threads))
    table.add_row("training takes about", f"{cost.seconds:.1f} s")
    return table


def _many(configs: Sequence[Config], prices: Sequence[Price], title: str = "") -> Table:
    table = Table(title=title or f"dry run of {len(configs)} runs: nothing was written", title_justify="left")
    for column in ("point", "parameters", "steps", "seconds, about"):
        table.add_column(column, justify="left" if column == "point" else "right")
    values = [{**flat(config.settings), **config.choices} for config in configs]
    differing = {key for key in values[0] if len({str(value.get(key)) for value in values}) > 1}
    shown = [key for key in values[0] if key in differing and not {key.split(".")[0]} & (differing - {key})]
    for value, cost in zip(values, prices, strict=True):
        point = " ".join(f"{key}={value.get(key)}" for key in shown)
        table.add_row(point, f"{cost.parameters:,}", f"{cost.steps:,}", f"{cost.seconds:.1f}")
    if not title:
        seconds = sum(cost.seconds for cost in prices)
        table.add_row("together", "", f"{sum(cost.steps for cost in prices):,}", f"{seconds:.1f}")
    return table
