"""`-m search=…`: what a search is, checked before anything exists; its study; its workers; what it came to."""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from descent import door, trials
from descent.errors import Interrupted, UsageError
from hydra_plugins.descent_sweeper import _outlook, _samplers, _spaces
from hydra_plugins.descent_sweeper._grid import composed_point
from hydra_plugins.descent_sweeper._leader import Leader, started
from hydra_plugins.descent_sweeper._search_space import Parameter, Point, every_point, overrides_of, size
from hydra_plugins.descent_sweeper._study import PLAN, Queue, differences, read_plan
from hydra_plugins.descent_sweeper._worker import Plan

FREE: tuple[str, ...] = (
    "name",
    "tags",
    "tracking",
    "resume",
    "checkpoint",
    "dry_run",
    "n_trials",
    "timeout",
    "workers",
)
FREE += ("study", "max_failures", "threads", "loader.workers", "hydra")
DEFAULT_TRIALS = 20


@dataclass(frozen=True)
class Search:
    """A search that may begin."""

    name: str
    directory: Path
    plan: Plan
    parameters: list[Parameter]
    first: list[Point]
    total: int
    workers: int
    facts: dict[str, str]  # what makes it this study
    base: DictConfig


def planned(arguments: Sequence[str], hydra_context: HydraContext, config: DictConfig) -> Search:
    """The search that a command line asks for, or UsageError in one line."""
    overrides = OverridesParser.create(config_loader=hydra_context.config_loader).parse_overrides(list(arguments))
    swept = [override for override in overrides if override.is_sweep_override()]
    fixed = [override for override in overrides if not override.is_sweep_override()]
    _refuse_swept_knobs(swept)

    def compose(words: Sequence[str]) -> DictConfig:
        return composed_point(list(words), 0, hydra_context, config)

    words = [str(override.input_line) for override in fixed]
    base = compose(words)
    settings = door.typed(base)
    sweep = settings.sweep
    if sweep["search"]["choice"] == "none":
        raise UsageError(
            f"search: got nothing, allowed {' | '.join(_samplers.KINDS)} with space={sweep['space']['choice']}"
        )
    parameters = _spaces.space_of(swept, fixed, compose)
    if not parameters:
        raise UsageError("search: got nothing to explore, allowed swept overrides, space=… or choices with a space")
    first, total = _first_points(sweep, parameters, base, settings.seed)
    _refuse_unfit(sweep, parameters, settings)
    facts = _facts(settings, parameters, fixed)
    name = str(sweep["study"] or f"{settings.name}-{_digest(facts)}")
    directory = trials.project_root() / "sweeps" / name
    plan = Plan(
        directory=str(directory),
        parameters=[asdict(parameter) for parameter in parameters],
        overrides=[*_threads_of(settings), *(word for word in words if not _is_free(word, trials.SWEEP_KEYS))],
        search=sweep["search"]["choice"],
        search_knobs={**sweep["search"], "trials": total},
        pruner=sweep["pruner"]["choice"],
        pruner_knobs={**sweep["pruner"], "epochs": settings.epochs},
        stopping=_stopping(sweep, settings),
        objectives=[settings.objective],
        directions=[settings.direction],
        seed=settings.seed,
        parent="",
    )
    return Search(name, directory, plan, parameters, first, total, int(sweep["workers"]), facts, base)


def checked_points(search: Search, compose: Any) -> list[DictConfig]:
    """The first points, and every end of every parameter, composed: what a trial would refuse is refused now."""
    points = [*search.first[:1], *_corners(search.parameters)]
    return [compose([*search.plan.overrides, *overrides_of(point)]) for point in points]


def _corners(parameters: Sequence[Parameter]) -> list[Point]:
    """Enough points that every choice and both ends of every number occur."""
    longest = max(len(one.choices) or 2 for one in parameters)
    points = []
    for place in range(longest):
        point: Point = {}
        for one in parameters:
            if one.exists_in(point):
                ends = one.choices or tuple(one.written(one.at(share)) for share in (0.0, 1.0 - 1e-12))
                point[one.key] = ends[place % len(ends)]
        points.append(point)
    return points


def _first_points(
    sweep: dict[str, Any], parameters: Sequence[Parameter], base: DictConfig, seed: int
) -> tuple[list[Point], int]:
    if sweep["search"]["choice"] == "grid":
        count = size(parameters)
        if count is None:
            endless = next(one for one in parameters if one.kind == "float" and one.step is None)
            raise UsageError(f"{endless.key}: got {endless.described}, allowed values or a step with search=grid")
        points = every_point(parameters)
        return points, min(count, sweep["n_trials"] or count)
    budget = OmegaConf.select(base, "space.n_trials") or DEFAULT_TRIALS
    start = sweep["search"]["start"]
    current = [_spaces.current(parameters, base)] if start is True else []
    given = (
        [{str(key): str(value) for key, value in point.items()} for point in start] if isinstance(start, list) else []
    )
    known = {one.key for one in parameters}
    for point in given:
        if unknown := sorted(set(point) - known):
            raise UsageError(f"search.start: got {unknown[0]}, allowed {' | '.join(sorted(known))}")
    return [*current, *given], int(sweep["n_trials"] or budget)


def _refuse_swept_knobs(swept: Sequence[Override]) -> None:
    for override in swept:
        key = override.key_or_group
        if key.split(".")[0] in trials.SWEEP_KEYS:
            raise UsageError(f"{key}: got several values, allowed one: it is the search's own, not a trial's")


def _refuse_unfit(sweep: dict[str, Any], parameters: Sequence[Parameter], settings: Any) -> None:
    _samplers.refuse_unfit(sweep["search"]["choice"], parameters, 1)
    if sweep["pruner"]["choice"] != "none" and 1 > 1:
        raise UsageError(f"pruner: got {sweep['pruner']['choice']}, allowed none with several objectives")
    if sweep["pruner"]["choice"] != "none" and settings.repeated:
        raise UsageError(
            f"pruner: got {sweep['pruner']['choice']}, allowed none with seeds or folds: their mean counts"
        )


def _stopping(sweep: dict[str, Any], settings: Any) -> dict[str, Any]:
    own = sweep["search"]
    deadline = time.time() + float(sweep["timeout"]) if sweep["timeout"] else None
    return {
        "maximize": settings.direction == "maximize",
        "patience": own["patience"],
        "target": own["target"],
        "min_improvement": own["min_improvement"],
        "max_failures": sweep["max_failures"],
        "deadline": deadline,
    }


def _facts(settings: Any, parameters: Sequence[Parameter], fixed: Sequence[Override]) -> dict[str, str]:
    """What makes it this study and no other."""
    kept = sorted(str(override.input_line) for override in fixed if not _is_free(str(override.input_line), FREE))
    space = {one.name: f"{one.key}: {one.described}" for one in parameters}
    return {
        "space": json.dumps(space),
        "fixed": json.dumps(kept),
        "objective": json.dumps([settings.objective, settings.direction]),
        "sampler": settings.sweep["search"]["choice"],
        "pruner": settings.sweep["pruner"]["choice"],
        "seed": str(settings.seed),
    }


def _threads_of(settings: Any) -> list[str]:
    return ["threads=1"] if settings.threads == "auto" else []


def _digest(facts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]


def _is_free(word: str, free: Sequence[str]) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return any(key == one or key.startswith(f"{one}.") for one in free)


def explore(arguments: Sequence[str], *, hydra_context: HydraContext, config: DictConfig, **_: Any) -> list[Any]:
    """The whole search: planned, checked, run, told."""

    def compose(words: Sequence[str]) -> DictConfig:
        return composed_point(list(words), 0, hydra_context, config)

    search = planned(arguments, hydra_context, config)
    if OmegaConf.select(search.base, "space.infeasible") == "skip":
        search = _of_feasible_points(search, compose)
    if earlier := _finished(search):
        _outlook.show(earlier, search.plan, search.total)
        ways = "n_trials=… extends it, study=… begins another"
        print(f"finished before: {search.name} has its {search.total} trials; {ways}")
        return []
    if not door.admit(checked_points(search, compose)):
        return []
    return _run(search)


def _of_feasible_points(search: Search, compose: Any) -> Search:
    """Without the points that cannot be built; which these are is kept beside the study."""
    known = (read_plan(search.directory) or {}).get("points")
    if known is None:
        known = [
            point
            for point in search.first
            if trials.can_be_built(compose([*search.plan.overrides, *overrides_of(point)]))
        ]
        print(f"{len(search.first) - len(known)} of {len(search.first)} points are infeasible and left out")
    if not known:
        raise UsageError("space: got no point that can be built, allowed at least one; narrow it")
    return replace(search, first=known, total=min(search.total, len(known)))


def _finished(search: Search) -> Queue | None:
    """The study as it stands, where it needs no further trial."""
    if not (search.directory / PLAN).exists():
        return None
    queue = _opened(search)
    waits = queue.ended < search.total and not (queue.stopped and not _goes_further(queue, search))
    return None if waits else queue


def _goes_further(queue: Queue, search: Search) -> bool:
    """Whether what once ended the study would not end it now."""
    from hydra_plugins.descent_sweeper._stopping import Stopping

    return Stopping(**search.plan.stopping).reason(queue.trials()) is None


def _opened(search: Search) -> Queue:
    queue = Queue(search.directory, search.parameters)
    queue.create(search.plan.directions, search.facts)
    return queue


def _run(search: Search) -> list[Any]:
    with trials.held(search.directory):
        plan = _begun(search)
        queue = _opened(search)
        queue.go_on()
        queue.extend(search.total, search.first)
        settings = door.typed(search.base)
        with trials.study_run(settings, search.directory, plan.parent, search.name, search.facts) as run:
            announced = _outlook.Announcer(queue, search.total, plan.directions[0])
            threads = _threads(settings, search.workers)
            number = Leader(queue, plan, search.workers, threads, announced).run()
            _outlook.record(run, queue, plan)
            if number:
                raise Interrupted(number)
        _outlook.show(queue, plan, search.total)
        _train_the_best(queue, plan, threads)
    failed = queue.trials(TrialState.FAIL)
    if len(failed) == queue.ended or "max_failures" in (queue.stopped or ""):
        raise SystemExit(1)
    return []


def _train_the_best(queue: Queue, plan: Plan, threads: int) -> None:
    """Once more, as an ordinary run: it is tested, and keeps its model and pictures."""
    best = _outlook.best_of(queue.trials(), plan.directions[0])
    if best is None:
        return
    words = overrides_of(queue.point_of(best))
    if plan.search_knobs["refit"]:
        reported = trials.reported_epoch(queue.directory / str(best.number))
        words += [f"epochs={reported + 1}", "dataset.val_fraction=0", "objective=auto", "direction=auto"]
    what = "training and validation data" if plan.search_knobs["refit"] else "the same data"
    print(f"the best, #{best.number}, once more on {what}, and tested:", flush=True)
    if code := started(plan, threads, best=words).wait():
        raise SystemExit(code)


def _begun(search: Search) -> Plan:
    """The plan with the study's run, which its first leader has named; refused where the study is another."""
    earlier = read_plan(search.directory)
    if earlier is None:
        plan = replace(search.plan, parent=uuid.uuid4().hex)
        kept = {"points": search.first} if search.plan.search == "grid" else {}
        trials.write_json(search.directory / PLAN, {"facts": search.facts, "parent": plan.parent, **kept})
        return plan
    for name in ("space", "fixed", "objective"):
        if earlier["facts"][name] != search.facts[name]:
            old, new = earlier["facts"][name], search.facts[name]
            raise UsageError(
                f"study: got {search.name}, which has another {name}: {_change(old, new)}"[:160]
                + "; choose another name"
            )
    for name in ("sampler", "pruner", "seed"):
        if earlier["facts"][name] != search.facts[name]:
            print(f"note: {name} {earlier['facts'][name]} → {search.facts[name]} from here on")
    return replace(search.plan, parent=earlier["parent"])


def _change(old: str, new: str) -> str:
    before, after = json.loads(old), json.loads(new)
    if isinstance(before, dict):
        return "; ".join(differences(before, after))
    gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
    return f"{' '.join(map(str, gone)) or 'nothing'} → {' '.join(map(str, come)) or 'nothing'}"


def _threads(settings: Any, workers: int) -> int:
    """Of each worker: one, unless the command says otherwise."""
    threads = 1 if settings.threads == "auto" else int(settings.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads * workers > cores:
        print(f"warning: {workers} workers with {threads} threads each on {cores} cores: each will be slower")
    return threads
