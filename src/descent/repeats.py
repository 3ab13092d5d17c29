"""Seeds and folds: several trainings of one configuration, one after another, told together by a parent run."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from descent import assembly, description, place, record, repeated, resuming
from descent.config import Config, varied
from descent.data.split import Data
from descent.errors import Diverged
from descent.interruption import interruptible
from descent.place import Place
from descent.repeated import Repeat, Repeated
from descent.rules import LONGEST_LINE, cut
from descent.tracking.run import Run, open_run

if TYPE_CHECKING:
    from descent.outcome import Outcome

T = TypeVar("T")
DataOf = Callable[[Config], Data]
AfterEach = Callable[[list[float]], "str | None"]
"""Takes the objectives of the repeats so far, unless one has failed; a reason that it returns leaves it at these."""
TrainOne = Callable[[Config, Path, Data | None, str], "Outcome"]
Told = tuple[Repeat, "Outcome | None"]


def repeats_of(config: Config) -> list[Repeat]:
    """Every seed with every fold; more seeds come after those that were there."""
    seeds = range(config.seed, config.seed + config.seeds)
    folds = range(config.folds) if config.folds > 1 and config.fold is None else [config.fold]
    return [Repeat(number, seed, fold) for number, (seed, fold) in enumerate(product(seeds, folds))]


def config_of(config: Config, repeat: Repeat) -> Config:
    """The repeat as an ordinary run: what its command line composes. Earlier runs are the parent's matter."""
    return varied(config, seed=repeat.seed, fold=repeat.fold, seeds=1, resume="auto")


def train_all(
    config: Config, directory: Path, train_one: TrainOne, after_each: AfterEach | None = None, parent_id: str = ""
) -> float:
    """Train the repeats in `<directory>/<number>/`, but for those that are finished there; returns the mean objective.

    Where one diverges the others are trained all the same, then Diverged is raised.
    """
    with resuming.sitting(config, directory, parent=parent_id) as parent:
        if parent.finished:
            return repeated.read(parent).objective
        data_of = _reader()
        parent, parts = resuming.adopt(parent, config, assembly.assemble(config, data_of(config)))
        name, began = record.run_name(config), (parent.directory / "0").exists()
        if not began:
            _rehearse(config, data_of)
        with (
            open_run(record.destination(config), directory, name=name, tags=config.tags, **parent.ids) as run,
            interruptible(),
        ):
            record.beginning(run, config, parts, parent, again=began)
            found = _together(_each(config, parent, data_of, train_one), after_each)
            _record(run, config, found, parent)
            parent = parent.kept(where=run.where)
            if found.failed:
                repeated.show(Console(), config, found, parent)
                raise _diverged(found)
        parent = parent.kept(state="finished", where=run.where)
    repeated.show(Console(), config, found, parent)
    return found.objective


def _together(each: "Iterator[Told]", after_each: AfterEach | None) -> Repeated:
    done: list[Told] = []
    reason = None
    for told in each:
        done.append(told)
        objectives = [outcome.objective for _, outcome in done if outcome is not None]
        if after_each and len(objectives) == len(done) and (reason := after_each(objectives)):
            break
    return repeated.together(done, reason)


def _reader() -> DataOf:
    """Data of one repeat after another: samples are read again for other settings alone, and split for another fold."""
    source_of = _unless_last(assembly.read, lambda config: config.dataset.settings)
    split = partial(assembly.load, read=source_of)
    return _unless_last(split, lambda config: (config.dataset.settings, config.fold or 0))


def _unless_last(make: Callable[[Config], T], asked: Callable[[Config], Any]) -> Callable[[Config], T]:
    """What it makes, but where the same was asked last: that was kept."""
    kept: list[tuple[Any, T]] = []

    def made(config: Config) -> T:
        if not kept or kept[0][0] != asked(config):
            kept.clear()  # first, for the two may not fit in memory together
            kept.append((asked(config), make(config)))
        return kept[0][1]

    return made


def _rehearse(config: Config, data_of: DataOf) -> None:
    """Folds differ by a sample: what only a later one's size makes impossible shows before the first is trained."""
    for repeat in repeats_of(config)[1 : config.folds if config.fold is None else 1]:
        one = config_of(config, repeat)
        assembly.assemble(one, data_of(one))


def _each(config: Config, parent: Place, data_of: DataOf, train_one: TrainOne) -> "Iterator[Told]":
    repeats, margin = repeats_of(config), "    " if config.one_of_many else ""
    for repeat in repeats:
        print(f"{margin}[{repeat.number + 1}/{len(repeats)}] {repeat.shown}", flush=True)
        one, directory = config_of(config, repeat), parent.directory / str(repeat.number)
        try:
            outcome = train_one(one, directory, data_of(one), parent.local_id)
        except Diverged as error:
            print(f"failed: {error} ({directory})", file=sys.stderr, flush=True)
            yield replace(repeat, local_id=_id_in(directory), failed=str(error)), None
            continue
        told = replace(repeat, objective=outcome.objective, weights_sha256=outcome.weights_sha256)
        yield replace(told, local_id=_id_in(directory)), outcome


def _id_in(directory: Path) -> str:
    known = place.read(directory)
    return known.local_id if known else ""


def _record(run: Run, config: Config, found: Repeated, parent: Place) -> None:
    """Under the step of all epochs together: it grows with more seeds and with more epochs, so the newest counts."""
    run.metrics(repeated.logged(found.metrics), max(0, found.epochs - 1))
    run.tags({"children": " ".join(repeat.local_id for repeat in found.repeats), "repeats": len(found.repeats)})
    record.stopping(run, found.stopped_because)
    repeated.write(found, parent)
    run.artifact(parent.directory / place.RESULTS)
    if config.tracking.kind != "none":
        record.together(run, config, parent.directory)
        run.describe(description.of_repeats(config, found))


def _diverged(found: Repeated) -> Diverged:
    first, done = found.failed[0], len(found.repeats) - len(found.failed)
    which = f"{len(found.failed)} of {len(found.repeats)} repeats diverged"
    return Diverged(cut(f"{which}; the means are of the other {done}: {first.shown}: {first.failed}", LONGEST_LINE))
