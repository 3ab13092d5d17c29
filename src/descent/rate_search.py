"""`lr=find`: the learning rate rises from nothing to far too much, and the loss says how far a training can go with it.

The search is a short training of its own, with the run's own parts on a model that is thrown away. It is a function of
the configuration alone, and the run that follows is to the bit the one that was given the number.
"""

import csv
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from descent import assembly, engine_state
from descent.config import UNIT_RATE, Config
from descent.data.split import Data
from descent.engine import Engine
from descent.errors import DataError, Diverged
from descent.interruption import interruptible
from descent.optim.batch_growth import Fixed
from descent.optim.schedules import Schedule
from descent.place import Place
from descent.regularization.method import Method, Methods, StepOwner, moments
from descent.reproducibility import computing
from descent.restoring import BestWeights
from descent.tracking.curves import GRID, INK
from descent.trainer import short_trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS, LOWEST, HIGHEST = 100, 1e-7, 10.0  # twelve steps for each power of ten
CHUNK = 10  # steps between two looks at the loss
EXPLODED = 4.0  # times the first losses
QUIET = 20  # steps at the beginning whose rates change nothing
SIGMA = 2.0  # steps, of the smoothing
RISE = 0.1  # of the whole fall: so much above the minimum the loss has begun to climb
MARGIN = 10.0  # between the rate at which it climbs and the one to train with
CURVE, PICTURE = "lr_find.csv", "lr_find.png"


class Ramp(Schedule):
    """Even steps on a logarithmic scale."""

    interval = "step"

    def factor(self, position: int, total: int) -> float:
        return float(LOWEST * (HIGHEST / LOWEST) ** (position / (STEPS - 1)))


@dataclass(frozen=True)
class Found:
    """The losses along the rates, and what they come to: `edge` is the last rate before the loss climbs."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    edge: float
    lr: float


def assembled(config: Config, place: Place, data: Data | None, also: Methods = ()) -> tuple[Config, assembly.Parts]:
    """The run's parts; with lr=find at the rate that an earlier sitting has found, or that is found now and drawn."""
    if config.is_searched:
        data = data or assembly.load(config)
        config = config.at(place.lr_found or _found_in(config, place.directory, data))
    return config, assembly.assemble(config, data, also)


def search(config: Config, data: Data) -> Found:
    """Train a model of the run's kind while the rate rises; DataError where the loss never falls."""
    parts = assembly.assemble(config.at(UNIT_RATE), data)
    engine = _engine(parts.engine)
    before = engine_state.random_state()

    def watch(name: str, losses: np.ndarray, first: int) -> None:
        so_far = np.concatenate(engine.losses)
        if _end(so_far) < len(so_far) or len(so_far) >= STEPS:
            engine.trainer.should_stop = True

    engine.step_sink = watch
    with computing(parts.threads, config.determinism == "exact"), interruptible(engine):
        with suppress(Diverged):  # as it should
            short_trainer(config, STEPS).fit(engine)
        engine.refuse_interruption()
    engine_state.restore_random(before)
    losses = np.concatenate(engine.losses).astype(np.float64)
    losses = losses[: min(_end(losses), STEPS)]
    return suggestion(np.array([Ramp().factor(step, STEPS) for step in range(len(losses))]), losses)


def suggestion(rates: np.ndarray, losses: np.ndarray) -> Found:
    """A tenth of the largest rate at which the smoothed loss still stands within a tenth of its fall above its minimum.

    The steepest point, which is often taken, tells where the first directions are learnt, not what all of them bear: on
    a round quadratic it lies twenty times below the bound of stability.
    """
    count = _end(losses)
    losses = losses[:count]
    first = losses[:QUIET]
    start = float(np.median(first)) if count > QUIET else float("nan")
    smoothed = _smoothed(np.minimum(losses, 2 * start))
    fall = start - float(smoothed.min(initial=np.inf))
    if not (fall > max(1e-3 * abs(start), float(first.std() if count else 0)) and smoothed.argmin() >= QUIET):
        line = "lr: find saw no fall of the loss between 1e-07 and 10; give a number, or look at model and data"
        raise DataError(line)
    low = np.flatnonzero(smoothed <= smoothed.min() + RISE * fall)
    edge = float(rates[low[-1]])
    return Found(rates[:count], losses, smoothed, edge, edge / MARGIN)


def _end(losses: np.ndarray) -> int:
    """How many there are before they are not finite, or their mean over a few steps has left all bounds."""
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    if count < CHUNK:
        return count
    means = np.convolve(losses[:count], np.full(CHUNK, 1 / CHUNK), "valid")
    exploded = np.flatnonzero(means > EXPLODED * means[0])
    return int(exploded[0]) + CHUNK if len(exploded) else count


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Gaussian weights around each step, so that the curve is not late."""
    steps = np.arange(len(losses))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / SIGMA) ** 2)
    return np.asarray(weights @ losses / weights.sum(1))


def _engine(engine: Engine) -> Engine:
    """The same training without what waits for ends of epochs."""
    recipe = engine.recipe
    feed = replace(recipe.feed, chunk=min(recipe.feed.chunk, CHUNK), workers=0, checkpoint_every=None)
    short = replace(
        recipe,
        schedule=Ramp(),
        methods=[method for method in recipe.methods if _acts_in_a_step(method)],
        feed=feed,
        best=BestWeights("train/loss", "minimize", keep=False),
        epochs=STEPS,
        hooked=False,
        growth=Fixed(),
    )
    return Engine(engine.model, engine.scaling, replace(engine.data, val=None, test=None), short)


def _acts_in_a_step(method: Method) -> bool:
    of_a_step = ("batch_in", "loss", "after_backward", "after_step")
    return isinstance(method, StepOwner) or any(moments([method], moment) for moment in of_a_step)


def _found_in(config: Config, directory: Path, data: Data) -> float:
    """The rate, with its curve and picture in the directory."""
    found = search(config, data)
    with (directory / CURVE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("lr", "loss", "smoothed"))
        rows.writerows(zip(found.rates.tolist(), found.losses.tolist(), found.smoothed.tolist(), strict=True))
    drawn(found).savefig(directory / PICTURE, dpi=90)
    if not config.one_of_many:
        print(f"lr=find: {found.lr:.3g} ({directory / PICTURE})", flush=True)
    return found.lr


def drawn(found: Found) -> "Figure":
    """The loss over the rate, with the edge and the rate that is taken."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    panel = figure.subplots()
    panel.plot(found.rates, np.minimum(found.losses, 2 * found.smoothed[0]), ".", color="#56B4E9", label="loss")
    panel.plot(found.rates, found.smoothed, color="#0072B2", linewidth=1.8, label="smoothed")
    climbs = f"begins to climb, {found.edge:.2g}"
    panel.axvline(found.edge, color="#D55E00", linestyle="--", linewidth=1.2, label=climbs)
    panel.axvline(found.lr, color="#000000", linewidth=1.2, label=f"taken, a tenth: {found.lr:.2g}")
    panel.set_xscale("log")
    panel.set_xlabel("lr", fontsize=9, color=INK)
    panel.set_ylabel("training loss", fontsize=9, color=INK)
    panel.tick_params(labelsize=8, colors=INK)
    panel.grid(color=GRID, linewidth=0.7)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, frameon=False)
    return figure
