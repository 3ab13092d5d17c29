"""A grid from the command line: its points, their check, their runs, and the table at the end."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent import door, trials
from descent.errors import DescentError, UsageError
from hydra_plugins.descent_sweeper import _kept

Point = list[str]
STOPPED = (130, 143)  # by a signal: the rest of the grid is not wanted either


@dataclass(frozen=True)
class Result:
    """What a point came to; `value` is None where it failed."""

    point: Point
    value: float | None
    why: str = ""
    exit_code: int = 0


def run_grid(
    arguments: list[str], *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> list[JobReturn]:
    """Check every point, run them one after another, say at once what fails, and show the results."""
    refuse_launcher(config)
    points = grid_points(arguments, hydra_context)
    composed = [composed_point(point, number, hydra_context, config) for number, point in enumerate(points)]
    _refuse_search_knobs(composed[0])
    if not door.admit(composed):
        return []
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    directory = door.enter_sweep(config)
    (directory / "multirun.yaml").write_text(door.mask(OmegaConf.to_yaml(config)))
    returns: list[JobReturn] = []
    results: list[Result] = []
    for number, point in enumerate(points):
        print(f"[{number + 1}/{len(points)}] {_shown(point)}", flush=True)
        returns.append(_run(point, number, composed[number], launcher))
        results.append(_result(point, returns[-1], _directory(composed[number])))
        if results[-1].exit_code in STOPPED:
            break
    _show(results, directory)
    if failed := [result for result in results if result.value is None]:
        raise SystemExit(failed[-1].exit_code if failed[-1].exit_code in STOPPED else failed[0].exit_code)
    _keep(results, composed)
    return returns


def _keep(results: Sequence[Result], composed: Sequence[DictConfig]) -> None:
    """Copies for a pipeline, where `outputs=` asks for them."""
    config = door.typed(composed[0])
    sign = -1.0 if config.direction == "maximize" else 1.0
    values = [sign * result.value for result in results if result.value is not None]
    rows = [
        _kept.row(number, "COMPLETE", [float(result.value or 0.0)], _kept.point_of(result.point))
        for number, result in enumerate(results)
    ]
    _kept.keep(config, rows, _directory(composed[values.index(min(values))]))


def refuse_launcher(config: DictConfig) -> None:
    """What runs here runs here."""
    if (chosen := config.hydra.runtime.choices["hydra/launcher"]) != "basic":
        raise UsageError(f"hydra/launcher: got {chosen}, allowed basic; the points run here, one after another")


def grid_points(arguments: list[str], hydra_context: HydraContext) -> list[Point]:
    """The points that Hydra's own sweeper would run, in its order."""
    overrides = OverridesParser.create(config_loader=hydra_context.config_loader).parse_overrides(arguments)
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            key = override.key_or_group
            raise UsageError(f"{key}: got an interval, allowed a list of points in a grid; write {key}=a,b,c")
        if override.is_sweep_override() and not any(True for _ in override.sweep_string_iterator()):
            raise UsageError(f"{override.key_or_group}: got nothing to sweep, {override.get_value_string()} is empty")
    return list(BasicSweeper.split_arguments(overrides, max_batch_size=None)[0])


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


def _refuse_search_knobs(composed: DictConfig) -> None:
    """A plain grid runs every point, one after another: nothing of a search can mean anything to it."""
    for key, given in door.typed(composed).sweep.items():
        value = given["choice"] if isinstance(given, dict) else given
        if value not in ("none", None, trials.SWEEP_DEFAULTS.get(key)):
            raise UsageError(f"{key}: got {value}, allowed with search=…; search=grid takes the points of a grid")


def _directory(composed: DictConfig) -> Path:
    return Path(composed.hydra.sweep.dir, str(composed.hydra.sweep.subdir))


def _run(point: Point, number: int, composed: DictConfig, launcher: Launcher) -> JobReturn:
    """Launch the point in a directory of its own; what is finished there already is not launched again."""
    directory = _directory(composed)
    job = JobReturn(overrides=point)
    try:
        job.return_value = door.enter_point(composed, directory)
        job.status = JobStatus.COMPLETED
    except (DescentError, OSError) as error:
        job.return_value, job.status = error, JobStatus.FAILED
        return job
    try:
        return job if job.return_value is not None else launcher.launch([point], initial_job_idx=number)[0]
    finally:
        door.leave_point(directory)


def _shown(point: Point) -> str:
    return door.mask(" ".join(point))


def _result(point: Point, job: JobReturn, directory: Path) -> Result:
    if job.status == JobStatus.COMPLETED:
        return Result(point, float(job.return_value))
    error: BaseException = job._return_value  # the property would print Hydra's own lines and raise
    why = door.one_line(error)
    print(f"failed: {_shown(point)}: {why} ({directory})", file=sys.stderr, flush=True)
    return Result(point, None, why, door.exit_code(error))


def _show(results: Sequence[Result], directory: Path) -> None:
    table = Table(title=f"{len(results)} runs in {directory}", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("overrides")
    table.add_column("objective", justify="right")
    for number, result in enumerate(results):
        table.add_row(
            str(number), escape(_shown(result.point)), "failed" if result.value is None else f"{result.value:.4f}"
        )
    Console().print(table)
