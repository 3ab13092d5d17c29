"""The verdict on a training: drawn at its end, kept with the run, and drawn again for an old one."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from descent import description
from descent.assembly import Parts
from descent.config import Config
from descent.diagnosis.evidence import Evidence, gathered
from descent.diagnosis.verdict import Finding, findings
from descent.durable import laid_out, write_whole
from descent.errors import Diverged
from descent.outcome import Outcome
from descent.tracking.run import Run

FILE = "diagnosis.json"
TAG = "diagnosis"


def conclude(run: Run, config: Config, parts: Parts, outcome: Outcome | None, directory: Path) -> tuple[Finding, ...]:
    """Draw the verdict, and keep it in the directory and as tags; without an outcome the loss was not finite."""
    found = findings(_evidence(config, parts, outcome), config.choices)
    first, others = found[0], found[1:]
    said = {"": first.sign, ".also": ", ".join(one.sign for one in others), ".try": " ".join(first.overrides)}
    run.tags({f"{TAG}{name}": value for name, value in said.items() if value})
    write_whole(directory / FILE, laid_out([asdict(one) for one in found]))
    if outcome is not None:
        run.describe(description.of_training(config, outcome, found))
    return found


@contextmanager
def of_divergence(run: Run, config: Config, parts: Parts, directory: Path) -> Iterator[None]:
    """A training that ends because its loss is not finite has a verdict too."""
    try:
        yield
    except Diverged:
        conclude(run, config, parts, None, directory)
        raise


def read(directory: Path) -> tuple[Finding, ...]:
    """The verdict that a run was given at its end; nothing where it was not given one."""
    try:
        kept = json.loads((directory / FILE).read_text())
        return tuple(Finding(**{**one, "overrides": tuple(one["overrides"])}) for one in kept)
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def _evidence(config: Config, parts: Parts, outcome: Outcome | None) -> Evidence:
    engine, data = parts.engine, parts.data
    return gathered(
        engine.history,
        np.concatenate([np.empty(0), *engine.losses]),
        engine.statistics.rows,
        outcome.metrics if outcome else {},
        task=data.task,
        outputs=data.outputs,
        loss=config.loss.choice,
        reported=outcome.epoch if outcome else 0,
        settings={**config.settings, "lr": config.lr},
        diverged=outcome is None,
    )


def of_directory(directory: Path, config: Config, outcome: Outcome, task: str, outputs: int) -> tuple[Finding, ...]:
    """Drawn anew from what a finished run has left in its directory."""
    evidence = gathered(
        json.loads((directory / "history.json").read_text()),
        np.load(directory / "loss_per_step.npy"),
        json.loads((directory / "layers.json").read_text()),
        outcome.metrics,
        task=task,
        outputs=outputs,
        loss=config.loss.choice,
        reported=outcome.epoch,
        settings={**config.settings, "lr": config.lr},
    )
    return findings(evidence, config.choices)


def show(console: Console, found: Sequence[Finding], commands: Sequence[str]) -> None:
    """The verdict with its reasons, what else was seen, and what to try."""

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    say(f"verdict: {found[0].line}")
    for other in found[1:]:
        say(f"also: {other.line}")
    for command in commands:
        say(f"try: {command}")


def run(run: str) -> dict[str, Any]:
    """What `python src/diagnose.py` does."""
    from descent.evaluation.recovering import known
    from descent.report import command_with

    place, config, outcome = known(run)
    found = read(place.directory) or _drawn_again(place.directory, config, outcome)
    console = Console()
    console.print(f"{place.name} {place.local_id[:8]}: {place.directory}", highlight=False, markup=False)
    show(console, found, [command_with(config, words) for words in found[0].overrides])
    return {"verdict": found[0].sign}


def _drawn_again(directory: Path, config: Config, outcome: Outcome) -> tuple[Finding, ...]:
    """For a run that is older than verdicts: how many classes there are is known to its data alone."""
    from descent import assembly

    data = assembly.load(config)
    return of_directory(directory, config, outcome, data.task, data.outputs)
