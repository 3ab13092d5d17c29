"""What a race has come to, as plain values: out of the queue and the trials' directories."""

import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from descent import door, trials
from hydra_plugins.descent_sweeper._race import Race
from hydra_plugins.descent_sweeper._search_space import Parameter, Point, overrides_of
from hydra_plugins.descent_sweeper._study import ENDED, Queue
from hydra_plugins.descent_sweeper._worker import Plan

races, race_page = trials.races, trials.race_page


def tell(run: Any, queue: Queue, plan: Plan, race: Race) -> None:
    """Write the page, its pictures and the table, give them to the race's run, and show the table."""
    if not queue.trials(TrialState.COMPLETE):
        print("no report: no trial has finished", flush=True)
        return
    found = race_of(queue, plan, race)
    for made in race_page.write(found, queue.directory):
        run.artifact(made, masked=True)
    run.describe(race_page.note(found))
    console = Console()
    for line in race_page.lines(found, queue.directory):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def race_of(queue: Queue, plan: Plan, race: Race) -> "races.Race":
    """Every trial that has ended."""
    return races.Race(
        name=queue.directory.name,
        objective=plan.objectives[0],
        direction=plan.directions[0],
        workloads=[_workload(one, race) for one in race.workloads],
        values=[_label(one, race.values) for one in race.values],
        knobs=[_knob(one) for one in race.nuisance],
        tries=[_try(queue, plan, race, trial) for trial in queue.trials(*ENDED)],
        points=race.points,
        repeats=race.repeats,
        command=door.mask(shlex.join(["python", "src/train.py", *sys.argv[1:]])),
        kept={one.key: f"{one.role or 'scientific'} {one.described}" for one in race.kept},
        listed=[" ".join(overrides_of(one)) for one in race.workloads if one],
        further=[door.mask(word) for word in race.further],
    )


def _workload(point: Point, race: Race) -> str:
    return _label(point, race.workloads) if point else race.here


def _label(point: Point, all_of_them: Sequence[Point]) -> str:
    """As short as tells them apart: `adam`, `mlp on digits`, `adam cosine`."""
    varying = [key for key in point if len({one.get(key) for one in all_of_them}) > 1]
    named = [key for key in ("model", "dataset") if key in point]
    shown: Sequence[str] = named if named else varying or list(point)
    other = [f"{key}={point[key]}" for key in varying if key not in named] if named else []
    words = [" on ".join(point[key] for key in shown)] if named else _values(point, shown)
    return " ".join([*words, *(other if _is_doubled(point, named, all_of_them) else [])])


def _values(point: Point, keys: Sequence[str]) -> list[str]:
    return [point[key] if key in door.groups() else f"{key}={point[key]}" for key in keys]


def _is_doubled(point: Point, keys: Sequence[str], all_of_them: Sequence[Point]) -> bool:
    return sum(all(one[key] == point[key] for key in keys) for one in all_of_them) > 1


def _knob(one: Parameter) -> "races.Knob":
    branch = one.name.partition("/")[0] if "/" in one.name else ""
    says_it = branch and not branch.startswith("regularization=")
    open_ones = [f"{key}={'|'.join(allowed)}" for key, allowed in one.when]
    return races.Knob(
        name=one.name,
        low=one.low,
        high=one.high,
        log=one.log,
        choices=one.choices,
        kind=one.kind,
        step=one.step,
        key=one.name if says_it else one.key,
        when=" and ".join(said for said in open_ones if not says_it or said != branch),
    )


def _try(queue: Queue, plan: Plan, race: Race, trial: FrozenTrial) -> "races.Try":
    point = queue.point_of(trial)
    group, again = race.group_of(point), trial.number >= plan.tested_from
    finished = trial.state == TrialState.COMPLETE and math.isfinite(float(trial.value or 0.0))
    directory = queue.directory / str(trial.number)
    nuisance = {one.name for one in race.nuisance}
    began, ended = trial.datetime_start, trial.datetime_complete
    return races.Try(
        number=trial.number,
        workload=_workload(group.workload, race),
        value=_label(group.value, race.values),
        point={name: value for name, value in trial.params.items() if name in nuisance},
        objective=float(trial.value) if finished and trial.value is not None else None,
        seconds=(ended - began).total_seconds() if began and ended else 0.0,
        again=again,
        tested=_tested(directory, plan) if finished and again else None,
        curve=trials.curve_of(directory, plan.objectives[0]),
        shown=door.mask(" ".join(overrides_of(point))),
        cause=door.mask(str(trial.user_attrs.get("cause", ""))),
    )


def _tested(directory: Path, plan: Plan) -> float | None:
    """The objective's metric on the test split, which repeats alone have read."""
    name = f"test/{plan.objectives[0].partition('/')[2]}"
    return trials.metrics_of(directory).get(name)
