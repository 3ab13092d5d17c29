"""`-m search=…`: what a search is, checked before anything exists; its study; its workers; what it came to."""

import signal
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from descent import door, trials
from descent.errors import Interrupted, UsageError
from hydra_plugins.descent_sweeper import (
    _best,
    _front,
    _origins,
    _outlook,
    _pruners,
    _race,
    _race_report,
    _refit,
    _report,
    _samplers,
    _spaces,
    _storages,
)
from hydra_plugins.descent_sweeper._best import GOES_ON
from hydra_plugins.descent_sweeper._crew import started_ahead, threads_of
from hydra_plugins.descent_sweeper._display import Forecast, display
from hydra_plugins.descent_sweeper._grid import composed_point, refuse_launcher, refuse_swept_knobs
from hydra_plugins.descent_sweeper._identity import changes, facts_of, is_free, name_of, refuse_another
from hydra_plugins.descent_sweeper._leader import Leader
from hydra_plugins.descent_sweeper._search_space import Parameter, Point, every_point, overrides_of, size
from hydra_plugins.descent_sweeper._study import PLAN, Queue, read_plan
from hydra_plugins.descent_sweeper._worker import PROGRAM, Plan

DEFAULT_TRIALS = 20
MOST_POINTS = 100_000  # of a grid
AIMS = ("objective", "direction")


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
    race: _race.Race | None = None


def planned(arguments: Sequence[str], hydra_context: HydraContext, config: DictConfig) -> Search:
    """The search that a command line asks for, or UsageError in one line."""
    overrides = OverridesParser.create(config_loader=hydra_context.config_loader).parse_overrides(list(arguments))
    swept = [override for override in overrides if override.is_sweep_override()]
    fixed = [override for override in overrides if not override.is_sweep_override()]
    refuse_swept_knobs(swept, AIMS)
    refuse_launcher(config)

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
    race = _race.asked(parameters, swept, fixed, settings, base)
    if race is not None:
        race = replace(race, further=_race.kept_words(words, race, door.primary(str(base.hydra.job.config_name))))
        words = _race.of_trials(words, race)
        settings = _race.aimed(race, words, settings, compose)
        parameters, first, total = race.parameters, race.first(), race.total()
    else:
        first, total = _first_points(sweep, parameters, base, settings.seed)
    _refuse_unfit(sweep, parameters, settings)
    facts = facts_of(settings, parameters, fixed, door.primary(str(base.hydra.job.config_name)), race)
    name = str(sweep["study"] or name_of(facts))
    directory = _directory(name, base)
    plan = Plan(
        directory=str(directory),
        parameters=[asdict(parameter) for parameter in parameters],
        overrides=[*_threads_of(settings), *_of_trials(words, settings)],
        own_threads=bool(_threads_of(settings)),
        searchpath=door.searchpath(),
        primary=door.primary(str(base.hydra.job.config_name)),
        total=total,
        search=sweep["search"]["choice"],
        search_knobs={**sweep["search"], "trials": total},
        pruner=sweep["pruner"]["choice"],
        pruner_knobs={**sweep["pruner"], **_pruners.looks(settings)},
        stopping=_stopping(sweep, settings),
        objectives=[name for name, _ in _aims(settings)],
        directions=[direction for _, direction in _aims(settings)],
        seed=settings.seed,
        parent="",
        storage=sweep["storage"],
        tested_from=sys.maxsize if race is None else len(first),
    )
    return Search(name, directory, plan, parameters, first, total, int(sweep["workers"]), facts, base, race)


def _directory(name: str, base: DictConfig) -> Path:
    """Where the study lies: hydra.sweep.dir where that is given."""
    if not any(str(word).startswith("hydra.sweep.dir=") for word in base.hydra.overrides.hydra):
        return trials.project_root() / "sweeps" / name
    directory = Path(base.hydra.sweep.dir).absolute()
    trials.refuse_foreign(directory, "hydra.sweep.dir", PLAN)
    return directory


def checked_points(search: Search, compose: Any) -> list[DictConfig]:
    """The first points, and every end of every parameter, composed: what a trial would refuse is refused now."""
    points = search.race.corners() if search.race else [*search.first[:1], *_corners(search.parameters)]
    composed = [_composed(search, point, compose) for point in points]
    if search.plan.search_knobs["refit"]:
        for point in points:
            _refit.refuse_waiting([*search.plan.overrides, *overrides_of(point)], compose)
    return [one for one in composed if trials.can_be_built(one)] if _skips(search) else composed


def _composed(search: Search, point: Point, compose: Any) -> DictConfig:
    return cast(DictConfig, compose([*search.plan.overrides, *overrides_of(point)]))


def _skips(search: Search) -> bool:
    """Whether points that cannot be built are left out."""
    return bool(OmegaConf.select(search.base, "space.infeasible") == "skip")


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
        total = min(count, sweep["n_trials"] or count)
        wanted = count if OmegaConf.select(base, "space.infeasible") == "skip" else total
        if wanted > MOST_POINTS:
            line = f"search: got a grid of {count:,} points, allowed up to {MOST_POINTS:,}"
            raise UsageError(f"{line}; n_trials=… takes the first so many, search=random any")
        return list(islice(every_point(parameters), wanted)), total
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


def _refuse_unfit(sweep: dict[str, Any], parameters: Sequence[Parameter], settings: Any) -> None:
    _samplers.refuse_unfit(sweep["search"]["choice"], parameters, len(_aims(settings)))
    if sweep["aims"]:
        _front.refuse_unfit(sweep)
    _pruners.refuse_unfit(sweep["pruner"], settings.repeats)


def _stopping(sweep: dict[str, Any], settings: Any) -> dict[str, Any]:
    own = sweep["search"]
    deadline = time.time() + float(sweep["timeout"]) if sweep["timeout"] else None
    return {
        "maximize": settings.direction == "maximize",
        "directions": [direction for _, direction in sweep["aims"] or []],
        "patience": own["patience"],
        "target": own["target"],
        "min_improvement": own["min_improvement"],
        "max_failures": sweep["max_failures"],
        "deadline": deadline,
    }


def _aims(settings: Any) -> list[tuple[str, Any]]:
    return settings.sweep["aims"] or [(settings.objective, settings.direction)]


def _of_trials(words: Sequence[str], settings: Any) -> list[str]:
    """Without what only the search is told; the space stays, for its file may choose a model too."""
    search = [key for key in (*trials.SWEEP_KEYS, "hydra", "outputs", "register") if key != "space"]
    kept = [word for word in words if not is_free(word, search)]
    if not settings.sweep["aims"]:
        return kept
    followed = [f"objective={settings.objective}", f"direction={settings.direction}"]
    return [*(word for word in kept if not is_free(word, AIMS)), *followed]


def _threads_of(settings: Any) -> list[str]:
    return ["threads=1"] if settings.threads == "auto" else []


def explore(arguments: Sequence[str], *, hydra_context: HydraContext, config: DictConfig, **_: Any) -> list[Any]:
    """The whole search: planned, checked, run, told."""

    def compose(words: Sequence[str]) -> DictConfig:
        return composed_point(list(words), 0, hydra_context, config)

    search = planned(arguments, hydra_context, config)
    earlier = refuse_another(search.directory, search.name, search.facts)
    if earlier:
        _storages.refuse_another(earlier, search.plan.storage, search.name)
    _storages.refuse_away(search.plan.storage)
    if _skips(search) and search.plan.search == "grid":
        search = _of_feasible_points(search, (earlier or {}).get("points"), compose)
    if earlier and (queue := _finished(_of_study(search, earlier["parent"]))):
        if search.race is None:
            _outlook.show(queue, search.plan)
        ways = "study=… begins another" if search.race else "n_trials=… extends it, study=… begins another"
        print(f"finished before: {search.name} has its {queue.ended} trials; {ways}")
        return _ended(search, queue)
    composed, settings = checked_points(search, compose), door.typed(search.base)
    threads = threads_of(settings, search.workers)
    count = 0 if settings.dry_run else min(search.workers, search.total)
    with started_ahead(PROGRAM, count, threads) as ahead:
        if not door.admit(composed, search.total, search.workers):
            return []
        try:
            with _storages.answering(search.plan.storage):
                return _run(search, composed, threads, ahead)
        except KeyboardInterrupt:
            raise Interrupted(signal.SIGINT, GOES_ON) from None


def _of_feasible_points(search: Search, known: list[Point] | None, compose: Any) -> Search:
    """Without the points that cannot be built; which these are is kept beside the study."""
    if known is None:
        known = [point for point in search.first if trials.can_be_built(_composed(search, point, compose))]
        print(f"{len(search.first) - len(known)} of {len(search.first)} points are infeasible and left out")
    if not known:
        raise UsageError("space: got no point that can be built, allowed at least one; narrow it")
    total = min(search.total, len(known))
    return replace(search, first=known, total=total, plan=replace(search.plan, total=total))


def _finished(search: Search) -> Queue | None:
    """The study as it stands, where it needs no further trial."""
    queue = _opened(search.plan, search.parameters)
    wants = bool(queue.stopped) if search.race else queue.ended < search.total  # a group without a best has no repeats
    waits = wants and not (queue.stopped and not _goes_further(queue, search))
    return queue if not waits and queue.is_closed(search.plan.search_knobs["refit"]) else None


def _goes_further(queue: Queue, search: Search) -> bool:
    """Whether what once ended the study would not end it now."""
    from hydra_plugins.descent_sweeper._stopping import Stopping, still_little_left

    if still_little_left(queue.stopped, search.plan.search_knobs):
        return False
    return Stopping(**search.plan.stopping).reason(queue.trials()) is None


def _of_study(search: Search, parent: str) -> Search:
    """The search as that of a study that has been begun, by which its run and what lies in its storage are known."""
    name = _storages.name_in(search.plan.storage, search.name, parent)
    return replace(search, plan=replace(search.plan, parent=parent, name=name))


def _opened(plan: Plan, parameters: Sequence[Parameter]) -> Queue:
    queue = Queue(Path(plan.directory), parameters, plan.storage, plan.name)
    queue.create(plan.directions)
    return queue


def _run(search: Search, composed: Sequence[DictConfig], threads: int, ahead: list[Any]) -> list[Any]:
    origin = trials.origin_of([search.base, *composed])
    with trials.held(search.directory, "choose another study with study=…"):
        return _held(search, origin, threads, ahead)


def _held(search: Search, origin: trials.Origin, threads: int, ahead: list[Any]) -> list[Any]:
    """The search in its directory, which is ours."""
    settings = door.typed(search.base)
    plan, codes = _begun(search, origin)
    queue = _opened(plan, search.parameters)
    notes = _origins.notes(queue.trials(), codes, plan.code)
    print("".join(f"{note}\n" for note in notes), end="", flush=True)
    queue.begin_sitting(search.facts)
    if search.plan.search != "grid" and (tried := queue.not_tried(search.first)):
        print(f"note: search.start: trial {tried[0]} exists and began elsewhere; study=… begins another study")
    queue.extend(len(search.first) if search.race else search.total, search.first)
    own = search.directory, plan.parent, search.name, search.facts, origin.data
    with trials.study_run(settings, *own) as run:
        run.tags({"other_code": " ".join(notes)} if notes else {})
        forecast = Forecast(search.total, queue.ended)
        print(_outlook.begins(queue, plan, search.total, search.workers), flush=True)
        leader = Leader(
            directory=search.directory,
            workers=search.workers,
            threads=threads,
            cards=trials.graphics_cards() if settings.device != "cpu" else [],
            queue=queue,
            plan=plan,
            announce=_outlook.Announcer(queue, forecast, plan.directions),
            ahead=ahead,
        )

        def shown(total: int) -> Any:
            forecast.total = total
            return display(lambda: _outlook.picture(queue, plan, forecast, leader.told))

        number = search.race.led(leader, search.first, shown) if search.race else leader.run(shown(search.total))
        trials.ship_the_rest(settings, search.directory)
        _outlook.record(run, queue, plan)
        _tell(run, search, queue, plan)
        if number:
            raise Interrupted(number, GOES_ON)
    if search.race is None:
        _outlook.show(queue, plan)
        _best.train(queue, plan, settings.register)
    queue.close(plan.search_knobs["refit"])
    return _ended(search, queue)


def _tell(run: Any, search: Search, queue: Queue, plan: Plan) -> None:
    if search.race is None:
        _report.tell(run, queue, plan)
    else:
        _race_report.tell(run, queue, plan, search.race)


def _ended(search: Search, queue: Queue) -> list[Any]:
    """What a search returns; the exit code tells one that is hopeless."""
    failed = queue.trials(TrialState.FAIL)
    if len(failed) == queue.ended or "max_failures" in (queue.stopped or ""):
        raise SystemExit(1)
    settings = door.typed(search.base)
    if search.race is None:
        _outlook.show_next(search.name, queue, settings)
    _outlook.keep(settings, queue)
    return []


def _begun(search: Search, origin: trials.Origin) -> tuple[Plan, _origins.Codes]:
    """The plan with the study's run, which its first leader has named, and the codes that its trials are made with."""
    earlier = refuse_another(search.directory, search.name, search.facts)
    plan = _of_study(search, earlier["parent"] if earlier else uuid.uuid4().hex).plan
    if earlier is None:
        earlier = {"facts": search.facts, "parent": plan.parent, "storage": _storages.shown(plan.storage)}
        earlier |= {"points": search.first} if plan.search == "grid" else {}
    else:
        _origins.refuse_other_data(earlier, origin.data, search.name)
        for line in changes(earlier, search.facts):
            print(line)
    known = {**earlier, **_origins.kept(earlier, origin)}
    if known != read_plan(search.directory):
        trials.write_json(search.directory / PLAN, known)
    return replace(plan, code=_origins.mark_of(origin.code)), known["codes"]
