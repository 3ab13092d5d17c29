"""A grid from the command line: its points, their check, their runs, and the table at the end."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from descent import door, trials
from descent.errors import DescentError, Interrupted, UsageError
from hydra_plugins.descent_sweeper import _kept
from hydra_plugins.descent_sweeper._display import Forecast
from hydra_plugins.descent_sweeper._ending import Ending, Failure, Row, show, show_next, train_command
from hydra_plugins.descent_sweeper._worker import LOGS

Point = list[str]
STOPPED = (130, 143)  # by a signal: the rest of the grid is not wanted either
DECIDING = ("objective", "direction", "dataset", "experiment")  # what an objective may hang on


@dataclass(frozen=True)
class Grid:
    """Points that may be run."""

    points: list[Point]
    composed: list[DictConfig]
    directory: Path
    workers: int
    primary: list[str]  # another folder and file than conf/config.yaml

    def place(self, number: int) -> Path:
        """Of a point."""
        return Path(self.composed[number].hydra.sweep.dir, str(self.composed[number].hydra.sweep.subdir))

    def log(self, number: int) -> Path:
        """What a point has printed where others run beside it; else that is seen."""
        return self.directory / LOGS / f"{number}.log" if self.workers > 1 else self.place(number)

    def words(self, number: int) -> Point:
        """What tells a point from the others."""
        return [word for word in self.points[number] if key_of(word) in self.differing]

    @cached_property
    def differing(self) -> list[str]:
        """Keys that have several values; all where there is one point."""
        keys = dict.fromkeys(key_of(word) for point in self.points for word in point)
        return list(keys) if len(self.points) == 1 else varying(self.points)

    @cached_property
    def config(self) -> Any:
        """Of the first point."""
        return door.typed(self.composed[0])

    @cached_property
    def is_one_contest(self) -> bool:
        """Whether all points have one objective: then one of them is the best."""
        if not any(key.split(".")[0] in DECIDING for key in self.differing):
            return True
        aims = {(one.objective, one.direction) for one in map(door.typed, self.composed)}
        return len(aims) == 1

    @property
    def objective(self) -> str:
        """Its name, where it has one."""
        return str(self.config.objective) if self.is_one_contest else "objective"

    def rank(self, result: "Result") -> tuple[bool, float, int]:
        """Smallest first: the best, or the order of the points."""
        value = result.value or 0.0
        cost = -value if self.config.direction == "maximize" else value
        return math.isnan(value), cost if self.is_one_contest else 0.0, result.number

    def best(self, results: Sequence["Result"]) -> "Result | None":
        """Of all; None where no one rule says which, or none came to a number."""
        known = [one for one in results if one.value is not None and not math.isnan(one.value)]
        return min(known, key=self.rank) if known and self.is_one_contest else None


@dataclass(frozen=True)
class Result:
    """What a point came to; `value` is None where it failed."""

    number: int
    point: Point
    value: float | None
    why: str = ""
    exit_code: int = 0


def run_grid(
    arguments: list[str], *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> list[Any]:
    """Check every point, run them, say at once what fails, and show the results."""
    refuse_launcher(config)
    points = grid_points(arguments, hydra_context)
    composed = [composed_point(point, number, hydra_context, config) for number, point in enumerate(points)]
    workers = _workers(composed[0])
    if not door.admit(composed, workers=workers):
        return []
    directory = door.enter_sweep(config)
    (directory / "multirun.yaml").write_text(door.mask(OmegaConf.to_yaml(config)))
    points = [[word for word in point if not word.startswith("workers=")] for point in points]
    grid = Grid(points, composed, directory, workers, door.primary(str(config.hydra.job.config_name)))
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    came: dict[int, Result] = {}
    try:
        interrupted = _run_all(grid, launcher, came)
    finally:
        results = [came[number] for number in sorted(came)]
        _show(grid, results)
    if interrupted:
        raise Interrupted(interrupted, f"hydra.sweep.dir={directory} goes on with it")
    if failed := [result for result in results if result.value is None]:
        raise SystemExit(failed[-1].exit_code if failed[-1].exit_code in STOPPED else failed[0].exit_code)
    _keep(grid, results)
    return []


def _run_all(grid: Grid, launcher: Launcher, came: dict[int, Result]) -> int:
    """Put in what the points come to; the number of the signal that ended it, or 0."""
    if grid.workers > 1:
        from hydra_plugins.descent_sweeper._team import at_the_same_time

        return at_the_same_time(grid, came)
    _one_after_another(grid, launcher, came)
    return 0


def _one_after_another(grid: Grid, launcher: Launcher, came: dict[int, Result]) -> None:
    """In this process, as Hydra's own sweeper would."""
    forecast = Forecast(len(grid.points), 0)
    for number, point in enumerate(grid.points):
        rest = so_far(grid, list(came.values()), forecast)
        print(f"[{number + 1}/{len(grid.points)}] {_masked(point)}{rest}", flush=True)
        came[number] = result = _result(number, point, _run(point, number, grid, launcher))
        if result.value is None:
            complain(result, grid.place(number))
        if result.exit_code in STOPPED:
            break


def _keep(grid: Grid, results: Sequence[Result]) -> None:
    """Copies for a pipeline, where `outputs=` asks for them."""
    rows = [_kept.row(one.number, "COMPLETE", [float(one.value or 0.0)], _kept.point_of(one.point)) for one in results]
    best = grid.best(results)
    _kept.keep(
        grid.config,
        rows,
        best.number if best else None,
        grid.place(best.number) if best else None,
        [grid.place(one.number) for one in results],
    )


def refuse_launcher(config: DictConfig) -> None:
    """What runs here runs here."""
    if (chosen := config.hydra.runtime.choices["hydra/launcher"]) != "basic":
        raise UsageError(f"hydra/launcher: got {chosen}, allowed basic; the points run here, one after another")


def grid_points(arguments: list[str], hydra_context: HydraContext) -> list[Point]:
    """The points that Hydra's own sweeper would run, in its order."""
    overrides = OverridesParser.create(config_loader=hydra_context.config_loader).parse_overrides(arguments)
    refuse_swept_knobs([override for override in overrides if override.is_sweep_override()])
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            key = override.key_or_group
            raise UsageError(f"{key}: got an interval, allowed a list of points in a grid; write {key}=a,b,c")
        if override.is_sweep_override() and not any(True for _ in override.sweep_string_iterator()):
            raise UsageError(f"{override.key_or_group}: got nothing to sweep, {override.get_value_string()} is empty")
    return list(BasicSweeper.split_arguments(overrides, max_batch_size=None)[0])


def refuse_swept_knobs(swept: Sequence[Override], also: Sequence[str] = ()) -> None:
    """What is the sweep's own has one value."""
    for override in swept:
        key = override.key_or_group
        if key.split(".")[0] in (*trials.SWEEP_KEYS, *also):
            raise UsageError(f"{key}: got several values, allowed one: it is the search's own, not a trial's")


def composed_point(point: Point, number: int, hydra_context: HydraContext, config: DictConfig) -> DictConfig:
    """The point's whole configuration, or UsageError in one line."""
    door.refuse_impossible(point, multirun=False)
    try:
        composed = hydra_context.config_loader.load_sweep_config(config, point)
    except Exception as error:
        raise door.explained(error, point) from error
    with open_dict(composed):
        composed.hydra.job.num = number
    return composed


def _workers(composed: DictConfig) -> int:
    """A plain grid runs every point, as many at a time as it is told: nothing else of a search can mean anything."""
    told = door.typed(composed).sweep
    for key, given in told.items():
        value = given["choice"] if isinstance(given, dict) else given
        if key != "workers" and value not in ("none", None, trials.SWEEP_DEFAULTS.get(key)):
            raise UsageError(f"{key}: got {value}, allowed with search=…; search=grid takes the points of a grid")
    return int(told["workers"])


def _run(point: Point, number: int, grid: Grid, launcher: Launcher) -> JobReturn:
    """Launch the point in a directory of its own; what is finished there already is not launched again."""
    job, directory = JobReturn(overrides=point), grid.place(number)
    try:
        job.return_value = door.enter_point(grid.composed[number], directory)
        job.status = JobStatus.COMPLETED
    except (DescentError, OSError) as error:
        job.return_value, job.status = error, JobStatus.FAILED
        return job
    try:
        return job if job.return_value is not None else launcher.launch([point], initial_job_idx=number)[0]
    finally:
        door.leave_point(directory)


def _result(number: int, point: Point, job: JobReturn) -> Result:
    if job.status == JobStatus.COMPLETED:
        return Result(number, point, float(job.return_value))
    error: BaseException = job._return_value  # the property would print Hydra's own lines and raise
    return Result(number, point, None, door.one_line(error), door.exit_code(error))


def so_far(grid: Grid, results: Sequence[Result], forecast: Forecast) -> str:
    """`  (best 0.9722, about 3 min left)`, as far as there is something to say."""
    best = grid.best(results)
    told = f"best {best.value:.4f}" if best else ""
    said = f"{told}{forecast.line(len(results))}".removeprefix(", ")
    return f"  ({said})" if said else ""


def complain(result: Result, where: Path) -> None:
    """Of a point that has failed, when it has."""
    print(f"failed: {_masked(result.point)}: {result.why} ({where})", file=sys.stderr, flush=True)


def _masked(words: Sequence[str]) -> str:
    return door.mask(" ".join(words))


def key_of(word: str) -> str:
    """What an override sets."""
    return word.lstrip("+").partition("=")[0]


def varying(points: Sequence[Point]) -> list[str]:
    """Keys that have several values in these points."""
    given = [{key_of(word): word for word in point} for point in points]
    return [key for key in dict.fromkeys(key for one in given for key in one) if len({p.get(key) for p in given}) > 1]


def _show(grid: Grid, results: Sequence[Result]) -> None:
    """Every point that has finished, best first; those that failed; the best one's command and what comes next."""
    finished = sorted((one for one in results if one.value is not None), key=grid.rank)
    tested = {one.number: _test_value(grid, one.number) for one in finished}
    columns = [grid.objective, *([_test_metric(grid)] if any(tested.values()) else [])]
    rows = [
        Row(one.number, grid.words(one.number), [f"{one.value:.4f}", tested[one.number]][: len(columns)])
        for one in finished
    ]
    failed = [one for one in results if one.value is None]
    failures = [Failure(one.number, grid.words(one.number), one.why, str(grid.log(one.number))) for one in failed]
    best = grid.best(finished)
    commands = [train_command(best.point, door.searchpath(), grid.primary)] if best else []
    show(Ending(f"{len(results)} runs in {grid.directory}", columns, rows, failures, commands=commands))
    if best:
        measurable = grid.place(best.number) if tested[best.number] and not grid.config.repeated else ""
        show_next(varying([one.point for one in finished]), measurable, grid.config.tracking, f"runs={grid.directory}")


def _test_metric(grid: Grid) -> str:
    """What the objective is called on test data."""
    return f"test/{grid.objective.rpartition('/')[2]}"


def _test_value(grid: Grid, number: int) -> str:
    """As it is shown; nothing where the run was not tested."""
    found: Any = trials.results_of(grid.place(number)).get(_test_metric(grid))
    value = found["mean"] if isinstance(found, dict) else found
    return "" if value is None else f"{value:.4f}"
