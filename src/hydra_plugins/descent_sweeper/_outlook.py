"""What a search has come to: line by line while it runs, a table and a command to copy at its end, and its record."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from descent import door
from descent.trials import with_instead
from hydra_plugins.descent_sweeper import _ending, _kept
from hydra_plugins.descent_sweeper._display import Forecast, Picture, Running, Told
from hydra_plugins.descent_sweeper._draws import share_of
from hydra_plugins.descent_sweeper._ending import Ending, Failure, Row
from hydra_plugins.descent_sweeper._front import Direction, extended, front
from hydra_plugins.descent_sweeper._search_space import Parameter, overrides_of
from hydra_plugins.descent_sweeper._study import ENDED, Queue
from hydra_plugins.descent_sweeper._worker import HALVED, LOGS, Plan, log_of

SHOWN = 10
BEST = "best"  # the directory of the best point, trained once more
MOST_NAMES = 8  # of parameters, in a line
LARGE = 1000.0  # numbers from here on, counts of parameters, are shown without decimals
BOUNDARY = 0.02  # of the way: a best value this near to an end asks for a wider space
MANY_TRIALS = 10  # before importances say anything


class Announcer:
    """Says a trial's end when it happens: what came of it, the best so far, and now and then how long it will go on."""

    def __init__(self, queue: Queue, forecast: Forecast, directions: Sequence[Direction]) -> None:
        self._queue, self._forecast, self._directions = queue, forecast, directions
        self._said = queue.ended
        self._front = front(queue.trials(), directions) if len(directions) > 1 else []

    def __call__(self, trial: FrozenTrial) -> None:
        self._said += 1
        shown = " ".join(overrides_of(self._queue.point_of(trial)))
        place = f"[{self._said}/{self._forecast.total}] #{trial.number} {shown}"
        if trial.state == TrialState.FAIL:
            cause, log = trial.user_attrs.get("cause", "unknown"), log_of(self._queue.directory, trial.number)
            print(f"failed: {place}: {cause} ({log})", file=sys.stderr, flush=True)
            return
        if len(self._directions) > 1:
            self._front = extended(self._front, trial, self._directions)
            front_now = f"front of {len(self._front)}{self._forecast.line(self._said)}"
            print(f"{place}  {' '.join(values_of(trial))}  ({front_now})", flush=True)
            return
        came = "pruned" if trial.state == TrialState.PRUNED else f"{trial.value:.4f}"
        best = best_of(self._queue.trials(), self._directions[0])
        rest = self._forecast.line(self._said)
        print(f"{place}  {came}" + (f"  (best {best.value:.4f}{rest})" if best else ""), flush=True)


def picture(queue: Queue, plan: Plan, forecast: Forecast, told: Mapping[int, Told]) -> Picture:
    """The study as it stands."""
    trials = queue.trials()
    of = {state: [trial for trial in trials if trial.state == state] for state in TrialState}
    ended = sum(len(of[state]) for state in ENDED)
    running = [Running(one.number, _shown(queue, one), told.get(one.number, {})) for one in of[TrialState.RUNNING]]
    counts = {"finished": len(of[TrialState.COMPLETE]), "pruned": len(of[TrialState.PRUNED])}
    counts |= {"failed": len(of[TrialState.FAIL]), "running": len(running)}
    counts |= {"waiting": max(0, forecast.total - ended - len(running))}
    best = _best_line(queue, plan, trials)
    return Picture(best, counts, forecast.total, forecast.left(ended), " ".join(plan.objectives[:1]), running)


def _best_line(queue: Queue, plan: Plan, trials: Sequence[FrozenTrial]) -> str:
    _, best = leaders(trials, plan.directions)
    if not best:
        return ""
    if len(plan.objectives) > 1:
        return f"front of {len(best)}: {', '.join(f'#{one.number}' for one in best)}"
    return f"best {plan.objectives[0]} {' '.join(values_of(best[0]))}  #{best[0].number} {_shown(queue, best[0])}"


def _shown(queue: Queue, trial: FrozenTrial) -> str:
    return door.mask(" ".join(overrides_of(queue.point_of(trial))))


def best_of(trials: Sequence[FrozenTrial], direction: str) -> FrozenTrial | None:
    """The best finished trial; None where there is none."""
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return ranked(finished, direction)[0] if finished else None


def ranked(finished: Sequence[FrozenTrial], direction: str) -> list[FrozenTrial]:
    """Best first; the earlier one of equals first."""
    sign = -1.0 if direction == "maximize" else 1.0
    return sorted(finished, key=lambda trial: (sign * float(trial.value or 0.0), trial.number))


def boundary_warnings(parameters: Sequence[Parameter], best: FrozenTrial) -> list[str]:
    """Numbers of the best trial that lie at an end of what was explored."""
    found = []
    for parameter in parameters:
        if parameter.kind == "choice" or parameter.name not in best.params:
            continue
        share = share_of(parameter, best.params[parameter.name])
        if share < BOUNDARY or share > 1 - BOUNDARY:
            end, way = ("lower", "below") if share < BOUNDARY else ("upper", "above")
            shown = parameter.written(best.params[parameter.name])
            found.append(f"{parameter.name}: the best, {shown}, is at its {end} end; look {way} {parameter.described}")
    return found


def importances(queue: Queue) -> dict[str, float]:
    """How much each parameter mattered (PED-ANOVA); empty where there are too few trials to say."""
    finished = queue.trials(TrialState.COMPLETE)
    if len(finished) < MANY_TRIALS or len({tuple(trial.values) for trial in finished}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(queue.study, evaluator=evaluator)
    return {name: float(value) for name, value in found.items()}


def saved_by_pruning(queue: Queue, looks: int) -> tuple[int, int]:
    """Epochs, or repeats, that were not trained, and pruned trials."""
    pruned = queue.trials(TrialState.PRUNED)
    return sum(looks - 1 - max(trial.intermediate_values, default=-1) for trial in pruned), len(pruned)


def pruning_lines(queue: Queue, plan: Plan) -> list[str]:
    """What it saved, where it did."""
    saved, pruned = saved_by_pruning(queue, int(plan.pruner_knobs["looks"]))
    return [f"pruning saved {saved} {plan.pruner_knobs['after']} in {pruned} trials"] if pruned else []


def show(queue: Queue, plan: Plan) -> None:
    """The best trials, those that failed, what mattered, what to mind, and the command that trains the best one."""
    trials = queue.trials()
    shown, best = leaders(trials, plan.directions)
    counts = Counter(trial.state.name.lower() for trial in trials if trial.state in ENDED)
    words = {"complete": "finished", "pruned": "pruned", "fail": "failed"}
    came = ", ".join(f"{count} {words[state]}" for state, count in sorted(counts.items()))
    is_one = len(plan.objectives) == 1
    ending = Ending(
        title=f"{queue.directory.name}: {came}",
        columns=plan.objectives,
        rows=[Row(one.number, overrides_of(queue.point_of(one)), values_of(one)) for one in shown],
        failures=[_failure(queue, one) for one in trials if one.state == TrialState.FAIL],
        remarks=remarks(queue, plan, best),
        commands=[best_command(plan, queue, one) for one in best],
        of_commands="best:" if is_one else "of these, the one you choose is tested by its command:",
        table_title=None if is_one else "Pareto front",
    )
    _ending.show(ending)


def _failure(queue: Queue, trial: FrozenTrial) -> Failure:
    cause, log = str(trial.user_attrs.get("cause", "unknown")), log_of(queue.directory, trial.number)
    return Failure(trial.number, overrides_of(queue.point_of(trial)), cause, str(log))


def remarks(queue: Queue, plan: Plan, best: Sequence[FrozenTrial]) -> list[str]:
    """Why it stopped, what mattered, what pruning saved, what lies at an end."""
    lines = [f"stopped: {queue.stopped}"] if queue.stopped else []
    if found := importances(queue):
        lines.append("importance: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))
    lines += pruning_lines(queue, plan)
    if len(best) == 1:
        lines += [f"warning: {line}" for line in boundary_warnings(queue.parameters, best[0])]
    return lines


def begins(queue: Queue, plan: Plan, total: int, workers: int) -> str:
    """What will be explored, how often, by how many, and where it can be looked after."""
    named = ", ".join(one.name for one in queue.parameters[:MOST_NAMES])
    more = f" and {rest} more" if (rest := len(queue.parameters) - MOST_NAMES) > 0 else ""
    before = f", {queue.ended} of them before" if queue.ended else ""
    crew = f"{workers} workers" if workers > 1 else "1 worker"
    logs = queue.directory / LOGS
    return f"{queue.directory.name}: {plan.search} over {named}{more}; {total} trials{before}, {crew}; logs: {logs}"


def show_next(name: str, queue: Queue, settings: Any) -> None:
    """Groups of which a search has finished several can be compared; the best was trained once more."""
    points = [queue.point_of(one) for one in queue.trials(TrialState.COMPLETE)]
    chosen = [one.key for one in queue.parameters if one.kind == "choice" and not one.when]
    several = [key for key in chosen if len({point[key] for point in points}) > 1]
    best = queue.directory if (queue.directory / BEST).exists() and not settings.repeated else ""
    _ending.show_next(several, best, settings.tracking, f"study={name}")


def leaders(
    trials: Sequence[FrozenTrial], directions: Sequence[Direction]
) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """The trials that are shown, and the best of them: one, or the front of several objectives."""
    if len(directions) > 1:
        found = front(trials, directions)
        return found, found
    finished = ranked([trial for trial in trials if trial.state == TrialState.COMPLETE], directions[0])
    return finished[:SHOWN], finished[:1]


def values_of(trial: FrozenTrial) -> list[str]:
    """What a finished trial came to, as it is shown."""
    return [f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.4f}" for value in trial.values]


def words_of(plan: Plan, queue: Queue, trial: FrozenTrial, start: int) -> list[str]:
    """A trial's command line as it came to an end, from one of the plan's overrides on."""
    words = [*plan.overrides[start:], *overrides_of(queue.point_of(trial))]
    return with_instead(words, trial.user_attrs.get(HALVED, []))


def best_command(plan: Plan, queue: Queue, best: FrozenTrial) -> str:
    """What trains the best trial again, as an ordinary run whose test split is read."""
    words = words_of(plan, queue, best, 1 if plan.own_threads else 0)
    return _ending.train_command(words, plan.searchpath, plan.primary)


def record(run: Any, queue: Queue, plan: Plan) -> None:
    """The study's own run: counts, the best, importances, and every trial as a table."""
    trials = queue.trials()
    _, best = leaders(trials, plan.directions)
    counts = Counter(trial.state.name.lower() for trial in trials if trial.state in ENDED)
    at = len([trial for trial in trials if trial.state in ENDED])
    run.metrics({f"study/{state}": float(count) for state, count in counts.items()}, at)
    if queue.stopped:
        run.tags({"stopped_because": queue.stopped})
    if len(plan.objectives) > 1:
        _record_front(run, queue, plan, best, at)
    elif best:
        found = {f"best/{plan.objectives[0]}": float(best[0].value or 0.0), "best/trial": float(best[0].number)}
        run.metrics(found, at)
        run.tags({"best_command": best_command(plan, queue, best[0])})
    run.metrics({f"importance/{name.replace('=', '-')}": value for name, value in importances(queue).items()}, at)
    rows = [
        {
            "number": trial.number,
            "state": trial.state.name,
            **_values_in(plan, trial),
            "point": queue.point_of(trial),
            "cause": trial.user_attrs.get("cause"),
        }
        for trial in trials
    ]
    run.text("\n".join(json.dumps(row) for row in rows) + "\n", "study/trials.jsonl")


def keep(config: Any, queue: Queue) -> None:
    """Copies for a pipeline, where `outputs=` asks for them."""
    ended = sorted(queue.trials(*ENDED), key=lambda trial: trial.number)
    rows = [_kept.row(one.number, one.state.name, one.values or [], queue.point_of(one)) for one in ended]
    best = best_of(ended, config.direction) if (queue.directory / BEST).exists() else None  # else nobody says which
    directories = [queue.directory / str(one.number) for one in ended]
    _kept.keep(config, rows, best.number if best else None, queue.directory / BEST, directories)


def _values_in(plan: Plan, trial: FrozenTrial) -> dict[str, Any]:
    values = trial.values if trial.state == TrialState.COMPLETE else [None] * len(plan.objectives)
    return {"value": values[0]} if len(values) == 1 else {"values": dict(zip(plan.objectives, values, strict=True))}


def _record_front(run: Any, queue: Queue, plan: Plan, found: Sequence[FrozenTrial], at: int) -> None:
    """Its points with their commands, and how far it reaches in each objective."""
    run.metrics({"front/points": float(len(found))}, at)
    for place, (objective, direction) in enumerate(zip(plan.objectives, plan.directions, strict=True)):
        values = [trial.values[place] for trial in found]
        if values:
            run.metrics({f"best/{objective}": float((max if direction == "maximize" else min)(values))}, at)
    points = [
        {
            "number": trial.number,
            **_values_in(plan, trial),
            "point": queue.point_of(trial),
            "command": best_command(plan, queue, trial),
        }
        for trial in found
    ]
    run.tags({"front": " ".join(str(trial.number) for trial in found)})
    run.text(json.dumps(points, indent=1) + "\n", "study/front.json")
