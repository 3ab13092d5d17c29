"""A race: which points each value of what is compared tries, on which workloads, and how often its best is repeated.

The list is a function of the command alone, and the repeats one of what came of it: a race that goes on makes the same.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from descent import door
from descent.errors import UsageError
from hydra_plugins.descent_sweeper._draws import seed_of
from hydra_plugins.descent_sweeper._ending import where
from hydra_plugins.descent_sweeper._identity import is_free
from hydra_plugins.descent_sweeper._search_space import Parameter, Point, every_point, is_same, overrides_of

WORKLOADS = ("model", "dataset")  # groups that are no part of what is compared
SEED = "seed"
# What ends or begins one search sooner than another, as it is when nothing is said.
OWN = ("search", "space", "study", "dry_run")  # words that each race says for itself
UNEQUAL = {"patience": None, "target": None, "min_improvement": 0.0, "start": True, "refit": False}


@dataclass(frozen=True)
class Group:
    """One value of what is compared on one workload."""

    workload: Point
    value: Point


@dataclass(frozen=True)
class Race:
    """Who runs against whom, over what; `parameters` are all of a trial's, the seed last."""

    workloads: list[Point]
    values: list[Point]
    fixed: Point
    nuisance: list[Parameter]
    parameters: list[Parameter]
    points: int
    repeats: int
    seed: int
    here: str  # the one workload, where there is no other
    further: tuple[str, ...] = ()  # words of the command that a further race has too

    @property
    def kept(self) -> list[Parameter]:
        """What a further race has as it is: what is compared, and what stays."""
        keys = {key for point in (*self.values, self.fixed) for key in point}
        return [one for one in self.parameters if one.key in keys and one not in self.nuisance]

    @property
    def groups(self) -> list[Group]:
        """Workload by workload."""
        return [Group(workload, value) for workload, value in product(self.workloads, self.values)]

    def knobs_of(self, group: Group) -> list[Parameter]:
        """What a group is tuned over."""
        known = {**self.fixed, **group.workload, **group.value}
        return [one for one in self.nuisance if all(known.get(key, allowed[0]) in allowed for key, allowed in one.when)]

    def points_of(self, group: Group) -> list[Point]:
        """Quasi-random, those of a value the same ones on every workload; of few that there are each once."""
        knobs = self.knobs_of(group)
        found = [self._point(group, knobs, row) for row in _shares(len(knobs), self.points, self._own_seed(group))]
        return [point for place, point in enumerate(found) if point not in found[:place]]

    def first(self) -> list[Point]:
        """Every group's first point, then every group's second: a race that is ended early is a fair one too."""
        lists = [self.points_of(group) for group in self.groups]
        return [points[place] for place in range(self.points) for points in lists if place < len(points)]

    def again(self, best: Sequence[Point]) -> list[Point]:
        """Each of the best with seeds of its own."""
        return [{**point, SEED: str(self.seed + more)} for point in best for more in range(1, self.repeats + 1)]

    def corners(self) -> list[Point]:
        """Every group's first point, and both ends and every choice of what each value is tuned over."""
        found = [self.points_of(group)[0] for group in self.groups]
        for value in self.values:
            group = Group(self.workloads[0], value)
            knobs = self.knobs_of(group)
            longest = max([2, *(len(one.choices) for one in knobs)])
            ends = [[place / (longest - 1) * (1 - 1e-12)] * len(knobs) for place in range(longest)]
            found += [self._point(group, knobs, shares) for shares in ends]
        return found

    def total(self) -> int:
        """All points and all repeats."""
        return len(self.first()) + self.repeats * len(self.groups)

    def described(self) -> str:
        """What may not change from one sitting to the next beside its parameters."""
        told = [" ".join(f"{key}={value}" for key, value in one.items()) for one in self.workloads]
        return f"{self.points} points, {self.repeats} repeats on {', '.join(told)}"

    def led(self, leader: Any, first: Sequence[Point], shown: Callable[[int], Any]) -> int:
        """All points, then the repeats of what was best then; what shows so many is made for each of both."""
        number = leader.run(shown(self.total()))
        if number or leader.queue.stopped:
            return int(number)
        again = self.again(best_points(self, leader.queue, leader.plan))
        leader.queue.extend(len(first) + len(again), [*first, *again])
        return int(leader.run(shown(len(first) + len(again))))

    def group_of(self, point: Mapping[str, str]) -> Group:
        """By what it says of both: no value is a part of another."""
        return next(one for one in self.groups if {**one.workload, **one.value}.items() <= point.items())

    def _point(self, group: Group, knobs: Sequence[Parameter], shares: Sequence[float]) -> Point:
        point = {**self.fixed, **group.workload, **group.value}
        for knob, share in zip(knobs, shares, strict=True):
            if knob.exists_in(point):
                point[knob.key] = knob.written(knob.at(float(share)))
        return {**point, SEED: str(self.seed)}

    def _own_seed(self, group: Group) -> int:
        return seed_of(self.seed, "race", *sorted(group.value.items()))


def _shares(dimensions: int, points: int, seed: int) -> Any:
    """A scrambled Sobol sequence; its balance holds for powers of two, of which the first ones are taken."""
    from scipy.stats import qmc

    if not dimensions:
        return np.zeros((1, 0))
    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    return sequence.random_base2(int(np.ceil(np.log2(points))))[:points]


def asked(
    parameters: Sequence[Parameter],
    swept: Sequence[Override],
    fixed: Sequence[Override],
    settings: Any,
    base: DictConfig,
) -> Race | None:
    """The race that a command line asks for, where it is one."""
    if settings.sweep["search"]["choice"] != "race":
        return None
    refuse_unfit(settings.sweep, settings)
    listed = OmegaConf.select(base, "space.workloads") or []
    given = {one.key_or_group: one.get_value_string() for one in fixed}
    return planned(parameters, [one.key_or_group for one in swept], listed, settings, given)


def planned(
    parameters: Sequence[Parameter],
    swept: Sequence[str],
    listed: Sequence[str],
    settings: Any,
    fixed: Mapping[str, str],
) -> Race:
    """The race that a space asks for; `swept` are keys of the command line, `fixed` what it leaves no choice of."""
    knobs = settings.sweep["search"]
    kept = [one for one in parameters if not one.name.startswith(tuple(f"{group}=" for group in WORKLOADS))]
    roles = {one.name: _role(one, swept) for one in kept}
    workloads, kept = _workloads(kept, [_words(line) for line in listed], roles, fixed)
    compared = [one for one in kept if roles[one.name] == "scientific"]
    values = list(every_point(compared))
    if len(values) < 2:
        raise UsageError("search: got race and nothing to compare, allowed swept choices or one marked scientific")
    if any(one.key == SEED for one in kept):
        raise UsageError("seed: got several values, allowed one with search=race; search.repeats=… repeats the best")
    seeds = tuple(str(settings.seed + more) for more in range(knobs["repeats"] + 1))
    return Race(
        workloads=workloads,
        values=values,
        fixed={one.key: one.choices[0] for one in kept if roles[one.name] == "fixed" and not one.when},
        nuisance=[one for one in kept if roles[one.name] == "nuisance" or (roles[one.name] == "fixed" and one.when)],
        parameters=[*_as_choices(workloads), *kept, Parameter(SEED, SEED, "choice", choices=seeds)],
        points=knobs["points"],
        repeats=knobs["repeats"],
        seed=settings.seed,
        here=f"{settings.choices['model']} on {settings.choices['dataset']}",
    )


def _role(one: Parameter, swept: Sequence[str]) -> str:
    """A list that is swept is compared; what has no role is tuned over."""
    if one.role:
        return one.role
    if one.kind == "choice" and one.key in WORKLOADS:
        return "workload"
    return "scientific" if one.kind == "choice" and one.key in swept and not one.when else "nuisance"


def _workloads(
    parameters: Sequence[Parameter], listed: Sequence[Point], roles: Mapping[str, str], fixed: Mapping[str, str]
) -> tuple[list[Point], list[Parameter]]:
    """Those of the space file that the command line leaves, or every model with every dataset; and what is no part."""
    swept = {one.key: one.choices for one in parameters if roles[one.name] == "workload"}
    others = [one for one in parameters if roles[one.name] != "workload"]
    if not listed:
        return [dict(zip(swept, chosen, strict=True)) for chosen in product(*swept.values())], others
    if other := next((one for one in listed if set(one) != set(listed[0])), None):
        line = f"space.workloads: got {' '.join(other)} beside {' '.join(listed[0])}, allowed the same keys in each"
        raise UsageError(line)
    wanted = {**swept, **{key: (value,) for key, value in fixed.items()}}
    left = [one for one in listed if all(_is_among(one[key], wanted.get(key)) for key in one)]
    if not left:
        key = next(key for key in listed[0] if key in wanted)
        known = " | ".join(dict.fromkeys(one[key] for one in listed))
        raise UsageError(f"{key}: got {' | '.join(wanted[key])}, allowed {known}: the workloads of the space")
    return left, [one for one in others if one.key not in listed[0]]


def _is_among(value: str, wanted: Sequence[str] | None) -> bool:
    return wanted is None or any(is_same(value, one) for one in wanted)


def _words(line: str) -> Point:
    pairs = [word.partition("=") for word in shlex.split(str(line))]
    if not pairs or not all(key and value for key, _, value in pairs):
        raise UsageError(f"space.workloads: got {line}, allowed key=value, several with blanks between")
    return {key: value for key, _, value in pairs}


def _as_choices(workloads: Sequence[Point]) -> Iterator[Parameter]:
    for key in workloads[0]:
        yield Parameter(key, key, "choice", choices=tuple(dict.fromkeys(one[key] for one in workloads)))


def aimed(race: Race, words: Sequence[str], settings: Any, compose: Callable[[Sequence[str]], DictConfig]) -> Any:
    """The settings with the objective of the workloads, which has to be one: what was composed before has none."""
    found: dict[tuple[str, str], str] = {}
    one = settings
    first, value = race.workloads[0], race.values[0]
    for group in [*(Group(other, value) for other in race.workloads), *(Group(first, other) for other in race.values)]:
        one = door.typed(compose([*words, *overrides_of(race.points_of(group)[0])]))
        found.setdefault((one.objective, one.direction), " ".join(overrides_of({**group.workload, **group.value})))
    if len(found) > 1:
        got = " and ".join(f"{way} {name} with {whose}" for (name, way), whose in list(found.items())[:2])
        raise UsageError(door.shortened(f"objective: got {got}", "; allowed one for all that race, objective=…"))
    return replace(settings, objective=one.objective, direction=one.direction)


def of_trials(words: Sequence[str], race: Race) -> list[str]:
    """Fixed overrides without what each trial's own point says."""
    own = {one.key for one in race.parameters}
    return [word for word in words if word.lstrip("+").partition("=")[0] not in own]


def kept_words(words: Sequence[str], race: Race, primary: Sequence[str]) -> tuple[str, ...]:
    """What a further race is told beside its space: whatever this one was, but for its own name and place."""
    own = {one.key for one in race.parameters} - {SEED}
    kept = [word for word in words if word.lstrip("+").partition("=")[0] not in {*own, *OWN}]
    return *where(door.searchpath(), primary), *(word for word in kept if not is_free(word, ("hydra",)))


def best_points(race: Race, queue: Any, plan: Any) -> list[Point]:
    """The best finished one of each group that has any, the earlier one of equals; repeats are none of them."""
    sign = -1.0 if plan.directions[0] == "maximize" else 1.0
    best: dict[str, tuple[float, Point]] = {}
    for trial in queue.trials(TrialState.COMPLETE):
        if trial.number >= plan.tested_from:
            continue
        point = queue.point_of(trial)
        label, cost = repr(race.group_of(point)), sign * float(trial.value)
        if label not in best or cost < best[label][0]:
            best[label] = cost, point
    labels = [repr(group) for group in race.groups]
    return [best[label][1] for label in labels if label in best]


def refuse_unfit(sweep: Mapping[str, Any], settings: Any) -> None:
    """What would make budgets unequal, or means nothing to a race."""
    if sweep["aims"]:
        raise UsageError("objective: got several, allowed one with search=race")
    if sweep["pruner"]["choice"] != "none":
        raise UsageError(f"pruner: got {sweep['pruner']['choice']}, allowed none with search=race: budgets are equal")
    if sweep["n_trials"] is not None:
        got = f"n_trials: got {sweep['n_trials']}, allowed null with search=race"
        raise UsageError(f"{got}; search.points=… and search.repeats=… size it")
    if settings.outputs is not None:
        raise UsageError(f"outputs: got {settings.outputs}, allowed null with search=race: it has many winners")
    knobs = sweep["search"]
    for name, plain in UNEQUAL.items():
        if knobs[name] != plain:
            raise UsageError(f"search.{name}: got {knobs[name]}, allowed {plain} with search=race: budgets are equal")
