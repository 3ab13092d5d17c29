"""A run from beginning to end: this is the table of contents."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from descent import assembly, diagnosing, rate_search, record, registering, repeats, report, resuming
from descent.callbacks.progress import progress
from descent.config import Config
from descent.data.split import Data
from descent.durable import sync_folder
from descent.interruption import interruptible
from descent.outcome import Outcome, conclude
from descent.regularization.method import Methods
from descent.reproducibility import computing
from descent.tracking.logger import DescentLogger
from descent.tracking.run import Run, open_run
from descent.trainer import build_trainer


def train(config: Config, directory: Path, after_each: repeats.AfterEach | None = None) -> float:
    """Train, test, record and report; returns the objective of the reported weights, the mean over seeds and folds."""
    if config.repeated:
        return repeats.train_all(config, directory, train_one, after_each)
    return registering.after_training(config, directory, train_one(config, directory).objective)


def train_one(
    config: Config, directory: Path, data: Data | None = None, parent: str = "", also: Methods = (), name: str = "",
    afterwards: Callable[[Callable[[], None]], None] | None = None,
) -> Outcome:  # fmt: skip
    """One training; `parent` is the local id of the run whose repeat or trial it is, `name` what it is called there.

    Its end is put on the disk at once, or by `afterwards`, who has other things to do: until then it is unfinished.
    """
    console = Console()
    with resuming.sitting(config, directory, data, parent) as place:
        if place.finished:
            return record.outcome_of(place)
        config, parts = rate_search.assembled(config, place, data, also)
        place, parts = resuming.adopt(place, config, parts)
        name, exact = name or record.run_name(config), config.determinism == "exact"
        with (
            computing(parts.threads, exact),
            open_run(record.destination(config), directory, name=name, tags=config.tags, **place.ids) as run,
            interruptible(parts.engine),
        ):
            checkpoint = resuming.checkpoint(place)
            resuming.announce(place, config, parts, checkpoint)
            record.beginning(run, config, parts, place, again=checkpoint is not None)
            with diagnosing.of_divergence(run, config, parts, directory):
                outcome = fit(config, parts, run, directory, console, checkpoint)
            record.ending(run, config, parts, outcome, place)
            found = diagnosing.conclude(run, config, parts, outcome, directory)
            if not afterwards:
                sync_folder(place.directory)  # before its record says that it has finished
        end = partial(place.ended, run.where)
        afterwards(end) if afterwards else end()
    report.show(console, config, parts, outcome, found, run.where, directory)
    return outcome


def fit(
    config: Config, parts: assembly.Parts, run: Run, directory: Path, console: Console, checkpoint: Path | None = None
) -> Outcome:
    """Train, restore the reported weights, measure them, and touch the test split once."""
    shown = [progress(console, parts.steps)] if config.trainer["enable_progress_bar"] and not config.one_of_many else []
    loggers = [DescentLogger(run)] if config.tracking.kind != "none" else []
    trainer = build_trainer(config, [*parts.callbacks, *shown], loggers, directory)
    if config.tracking.steps:
        parts.engine.step_sink = run.series
    started = time.perf_counter()
    trainer.fit(parts.engine, ckpt_path=checkpoint, weights_only=True)
    parts.engine.refuse_interruption()
    return conclude(config, parts, trainer, parts.engine.seconds_before + time.perf_counter() - started)
