"""A trial of a study: an ordinary run whose test split nobody reads, watched by whoever may end it; and its parent."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from descent import objectives, processes, recomposing
from descent.config import Config, parse, project_root, source_root
from descent.durable import write_json
from descent.errors import UsageError
from descent.lifeline import close_databases, die_with_parent
from descent.origin import Origin, origin_of
from descent.outputs import TRAINING, results_of, trainings_of, write_sweep
from descent.ownership import forget_elsewhere, held, is_alive, this_process
from descent.pages import race as race_page
from descent.pages import search as search_page
from descent.pages import studies, surrogates
from descent.place import refuse_foreign
from descent.races import race as races
from descent.recomposing import Composed
from descent.rules import cut
from descent.sweeping import KEYS as SWEEP_KEYS
from descent.sweeping import KNOBS as SWEEP_DEFAULTS
from descent.tracking.secrets import mask
from descent.yaml_text import yaml_of

if TYPE_CHECKING:
    from descent.data.split import Data
    from descent.outcome import Outcome
    from descent.regularization.method import Method
    from descent.tracking.run import Run

__all__ = [
    "SWEEP_DEFAULTS",
    "SWEEP_KEYS",
    "TRAINING",
    "CameTo",
    "Origin",
    "Trial",
    "can_be_built",
    "close_databases",
    "curve_of",
    "die_with_parent",
    "forget_elsewhere",
    "get_ready",
    "give_memory_back",
    "graphics_cards",
    "held",
    "is_alive",
    "metrics_of",
    "origin_of",
    "progress",
    "project_root",
    "race_page",
    "races",
    "refuse_foreign",
    "reported_epoch",
    "results_of",
    "run",
    "search_page",
    "ship",
    "ship_the_rest",
    "ship_through",
    "source_root",
    "studies",
    "study_run",
    "surrogates",
    "this_process",
    "trainings_of",
    "with_instead",
    "within_memory",
    "write_json",
    "write_sweep",
]

HISTORY = "history.json"

_data: "dict[str, Data]" = {}  # of the last trial of this process: the next one's is most often the same


@dataclass(frozen=True)
class Trial:
    """What a worker is given to run. `overrides` is the whole command line of it."""

    directory: Path
    overrides: Sequence[str]
    parent: str  # the local id of the study's run
    searchpath: Sequence[str] = ()  # where else than in conf/ choices lie
    primary: Sequence[str] = ()  # another folder and file than conf/config.yaml
    report: Callable[[float, int], bool] | None = None  # objective, epoch → whether it is to end
    name: str = ""  # in the list of runs: what tells it from its siblings
    tested: bool = False  # whether its test split is read, as an ordinary run's is
    whole: bool = False  # whether it keeps its model and pictures and may be registered, as an ordinary run
    objectives: Sequence[str] = ()  # metrics; none: its configuration's objective
    tags: Mapping[str, str] = field(default_factory=dict)  # of its run, beside those of the command
    each: bool = False  # of seeds and folds each one's own objective is reported, instead of their mean so far
    told: Callable[[int, int, float], None] | None = None  # epochs that are done, of how many, objective
    afterwards: Callable[[Callable[[], None]], None] | None = None  # who puts a single training's end on the disk


@dataclass(frozen=True)
class CameTo:
    """The end of a trial."""

    values: list[float]  # one for each objective
    pruned: bool


def run(trial: Trial) -> CameTo:
    """Train it in its directory, going on with what stands there."""
    from descent import entering, record, registering, resuming, training
    from descent.watching import PRUNED

    composed = recomposing.composed(trial.overrides, trial.searchpath, trial.primary)
    config = _config_of(trial, composed)
    data = _as_seen(trial, _loaded(config))
    place = resuming.enter(config, trial.directory, data, trial.parent)
    try:
        if not place.finished:
            _write_configuration(trial, config, composed)
        if config.repeated:
            if not place.finished:
                _repeated(trial, config)
            return _came_to_together(trial, config)
        name = cut(trial.name, record.LONGEST_NAME)
        watch = _watch(trial, config)
        outcome = training.train_one(config, trial.directory, data, trial.parent, watch, name, trial.afterwards)
        if trial.whole:
            registering.after_training(config, trial.directory, outcome.objective)
    finally:
        entering.leave(trial.directory)
    values = _values(trial, config, outcome.objective, outcome.metrics)
    return CameTo(values, outcome.stopped_because == PRUNED)


def _came_to_together(trial: Trial, config: Config) -> CameTo:
    """Of a trial's seeds and folds: the means."""
    from descent import place, repeated
    from descent.watching import PRUNED

    known = place.read(trial.directory)
    assert known is not None, "a finished trial has left its run.json"
    found = repeated.read(known)
    means = {name: summary.mean for name, summary in found.metrics.items()}
    values = _values(trial, config, found.objective, means)
    return CameTo(values, found.stopped_because == PRUNED)


def _values(trial: Trial, config: Config, objective: float, metrics: Mapping[str, float]) -> list[float]:
    wanted = trial.objectives or (config.objective,)
    return [objectives.value_of(name, config.objective, objective, metrics) for name in wanted]


def _repeated(trial: Trial, config: Config) -> None:
    from descent import repeats, training
    from descent.watching import of_repeats

    def train_one(one: Config, directory: Path, data: "Data | None", parent: str) -> "Outcome":
        one = replace(one, tracking=config.tracking)
        data = _as_seen(trial, data or _loaded(one))
        return training.train_one(one, directory, data, parent, _telling(trial, one))

    watch = of_repeats(trial.report, config.repeats, trial.each) if trial.report else None
    repeats.train_all(config, trial.directory, train_one, watch, trial.parent)


def _as_seen(trial: Trial, data: "Data") -> "Data":
    return data if trial.tested else replace(data, test=None)


def reported_epoch(directory: Path) -> int:
    """Of a trial that has finished, counted from 0; the middle one of its seeds and folds, where it has several."""
    from descent import place, record, repeated

    known = place.read(directory)
    assert known is not None, "a finished trial has left its run.json"
    if known.identity is None or not known.identity.repeated:
        return record.outcome_of(known).epoch
    parts = [directory / str(one.number) for one in repeated.read(known).repeats if not one.failed]
    return int(median(reported_epoch(part) for part in parts))


def metrics_of(directory: Path) -> dict[str, float]:
    """Of a trial that has finished: the mean of its seeds and folds, where it has several."""
    from descent import place, record, repeated

    known = place.read(directory)
    assert known is not None, "a finished trial has left its run.json"
    if known.identity is None or not known.identity.repeated:
        return record.outcome_of(known).metrics
    return {name: summary.mean for name, summary in repeated.read(known).metrics.items()}


def progress(directory: Path) -> str:
    """How far a trial has come, as its checkpoints say: the same as long as none of a later step is written."""
    steps: dict[str, str] = {}
    for file in sorted(directory.rglob("checkpoints/step-*.pt")):
        steps[str(file.parent.relative_to(directory))] = file.name.split("-")[1]
    return " ".join(f"{part}:{step}" for part, step in steps.items())


def graphics_cards() -> list[str]:
    """By the names that CUDA_VISIBLE_DEVICES takes."""
    if (said := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [one.strip() for one in said.split(",") if one.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def curve_of(directory: Path, metric: str) -> list[tuple[int, float]]:
    """A trial's metric after each epoch, the mean over its seeds and folds; empty where it has left none."""
    by_epoch: dict[int, list[float]] = {}
    for file in [directory / HISTORY, *directory.glob(f"[0-9]*/{HISTORY}")]:
        with suppress(OSError, ValueError):
            for epoch, value in json.loads(file.read_text()).get(metric, ()):
                by_epoch.setdefault(int(epoch), []).append(float(value))
    return [(epoch, fmean(values)) for epoch, values in sorted(by_epoch.items())]


def _config_of(trial: Trial, composed: Composed) -> Config:
    """As the same words on a command line would give it."""
    config = parse(composed.raw, composed.choices, composed.overrides, one_of_many=True)
    config = replace(config, tags={**config.tags, **trial.tags})
    if trial.whole:
        return config
    config = replace(config, checkpoint=replace(config.checkpoint, last=False))  # a study goes on with other trials
    if config.tracking.trial_artifacts:
        return config
    return replace(config, tracking=replace(config.tracking, model=False, pictures=False))


def within_memory(trial: Trial, error: Exception) -> list[str]:
    """Overrides under which a trial that memory was too small for makes the same steps; none where there are none."""
    from descent import memory

    if not memory.is_out_of_memory(error):
        return []
    composed = recomposing.composed(trial.overrides, trial.searchpath, trial.primary)
    config = _config_of(trial, composed)
    rows = len(_loaded(config).train)
    size = rows if config.batch_size == "full" else int(config.batch_size)
    words = memory.divided(size, config.accumulate, rows % size if config.loader.drop_last else 0)
    if not words:
        print(f"out of memory: not tried again: no part of batch_size={size} makes the same steps", flush=True)
    try:
        _config_of(trial, recomposing.composed(with_instead(trial.overrides, words), trial.searchpath, trial.primary))
    except UsageError:
        return []
    return words


def with_instead(words: Sequence[str], others: Sequence[str]) -> list[str]:
    """Overrides with others in the place of those of the same keys."""
    keys = {word.partition("=")[0] for word in others}
    return [*(word for word in words if word.lstrip("+").partition("=")[0] not in keys), *others]


def give_memory_back() -> None:
    """What a failed training still holds, to the next one."""
    from descent import memory

    memory.give_back()


def can_be_built(composed: DictConfig) -> bool:
    """Whether a point's parts fit together: a network may have no pixel left."""
    from descent import assembly
    from descent.door import typed

    try:
        config = typed(composed)
        assembly.assemble(config, _loaded(config))
    except UsageError:
        return False
    return True


def _loaded(config: Config) -> "Data":
    from descent import assembly

    key = repr((config.dataset.settings, config.folds, config.fold))
    if key not in _data:
        _data.clear()
        _data[key] = assembly.load(config)
    return _data[key]


def _write_configuration(trial: Trial, config: Config, composed: Composed) -> None:
    """As Hydra leaves it beside a run."""
    folder = trial.directory / ".hydra"
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(mask(yaml_of(composed.raw)))
    (folder / "overrides.yaml").write_text(mask(yaml_of(list(config.overrides))))
    runtime = {"cwd": str(Path.cwd()), "choices": composed.choices}
    (folder / "hydra.yaml").write_text(mask(yaml_of({"hydra": {"runtime": runtime}})))


def _watch(trial: Trial, config: Config) -> "list[Method]":
    from descent.watching import Watch

    watch = [Watch(config.objective, config.epochs, trial.report)] if trial.report else []
    return [*watch, *_telling(trial, config)]


def _telling(trial: Trial, config: Config) -> "list[Method]":
    from descent.watching import Telling

    return [Telling(config.objective, config.epochs, trial.told)] if trial.told else []


def get_ready() -> None:
    """Import what a training needs."""
    from descent import lifeline, registering, training  # noqa: F401

    lifeline.end_quickly()


def ship_through(give: Callable[[dict[str, Any]], None]) -> None:
    """No trial of this process waits for the store: its leader, who is given the orders, has them carried out."""
    from descent.tracking.courier import courier

    courier.through = give


def ship(order: dict[str, Any]) -> None:
    """An order of a worker's."""
    from descent.tracking.courier import courier

    courier.give(order)


def ship_the_rest(config: Config, directory: Path) -> None:
    """What the workers of a study have left behind."""
    from descent import record
    from descent.tracking.courier import courier
    from descent.tracking.destination import resolved

    destination = resolved(record.destination(config))
    if destination.kind != "none" and (away := courier.finish_under(directory, destination)):
        hint = "the next start or `make sync` ships what is left"
        print(f"tracking: {destination.shown}: {away}; {hint} under {directory}", file=sys.stderr)


@contextmanager
def study_run(
    config: Config, directory: Path, local_id: str, name: str, facts: Mapping[str, Any], data: str
) -> "Iterator[Run]":
    """The run that a study's trials are children of; it tells what is the same for all, the data's digest too."""
    from descent import record
    from descent.tracking.run import open_run

    begun = (directory / "outbox").exists()
    with open_run(record.destination(config), directory, name=name, tags=config.tags, local_id=local_id) as run:
        if not begun and processes.rank() == 0:
            run.params({f"study.{key}": value for key, value in facts.items()})
            record.of_a_study(run, data)
        run.tags({"role": "study"})
        yield run
