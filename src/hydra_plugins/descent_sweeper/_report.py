"""A study's report: what the journal holds, as the plain values that a page is made of."""

import shlex
import sys
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from descent import door, trials
from hydra_plugins.descent_sweeper import _outlook
from hydra_plugins.descent_sweeper._search_space import Parameter, overrides_of
from hydra_plugins.descent_sweeper._study import ENDED, Queue
from hydra_plugins.descent_sweeper._worker import Plan

studies, search_page = trials.studies, trials.search_page
STATES: dict[TrialState, studies.State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
MOST_CURVES = 400  # read from trials' directories: the last ones


def tell(run: Any, queue: Queue, plan: Plan) -> None:
    """Write the page and its pictures into the study's directory, and give them to the study's run."""
    if not queue.trials(TrialState.COMPLETE):
        print("no report: no trial has finished", flush=True)
        return
    search = search_of(queue, plan)
    page, folder = search_page.write(search, queue.directory)
    run.artifact(page, masked=True)
    run.artifact(folder, masked=True)
    run.describe(search_page.note(search))
    print(f"report: {page}", flush=True)


def search_of(queue: Queue, plan: Plan) -> "search_page.Search":
    """Everything that the page tells."""
    study = study_of(queue, plan)
    several = len(plan.objectives) > 1
    finished = queue.trials(TrialState.COMPLETE)
    best = None if several else _outlook.best_of(finished, plan.directions[0])
    return search_page.Search(
        name=queue.directory.name,
        study=study,
        command=door.mask(shlex.join(["python", "src/train.py", *sys.argv[1:]])),
        best_command=door.mask(_outlook.best_command(plan, queue, best)) if best else "",
        facts=[("sampler", plan.search), ("pruner", plan.pruner), ("seed", str(plan.seed))],
        remarks=_remarks(queue, plan, best),
        beliefs=_beliefs(queue, plan, finished, study),
    )


def _remarks(queue: Queue, plan: Plan, best: FrozenTrial | None) -> list[str]:
    found = [f"Stopped: {queue.stopped}."] if queue.stopped else []
    found += [f"{line.capitalize()}." for line in _outlook.pruning_lines(queue, plan)]
    warned = _outlook.boundary_warnings(queue.parameters, best) if best else []
    return found + [f"{line}." for line in warned]


def _beliefs(queue: Queue, plan: Plan, finished: list[FrozenTrial], study: Any) -> Any:
    if plan.search != "gp":
        return ()
    from hydra_plugins.descent_sweeper._surrogate import beliefs

    return beliefs(queue.parameters, finished, study, bool(plan.search_knobs["deterministic"]))


def study_of(queue: Queue, plan: Plan) -> "studies.Study":
    """Every trial that has ended, as plain values."""
    ended = queue.trials(*ENDED)
    read = {trial.number for trial in ended[-MOST_CURVES:]}
    return studies.Study(
        objectives=tuple(plan.objectives),
        directions=tuple(plan.directions),
        dimensions=tuple(_dimension(one) for one in queue.parameters),
        tries=tuple(_try(queue, plan, trial, trial.number in read) for trial in ended),
        importances=_outlook.importances(queue),
    )


def _dimension(parameter: Parameter) -> "studies.Dimension":
    return studies.Dimension(parameter.name, parameter.choices, parameter.log)


def _try(queue: Queue, plan: Plan, trial: FrozenTrial, with_curve: bool) -> "studies.Try":
    finished = trial.state == TrialState.COMPLETE
    return studies.Try(
        number=trial.number,
        state=STATES[trial.state],
        values=tuple(trial.values) if finished else (),
        point=dict(trial.params),
        shown=door.mask(" ".join(overrides_of(queue.point_of(trial)))),
        curve=_curve(queue.directory / str(trial.number), plan, trial) if with_curve else (),
        cause=door.mask(str(trial.user_attrs.get("cause", ""))),
    )


def _curve(directory: Path, plan: Plan, trial: FrozenTrial) -> list[tuple[int, float]]:
    found = trials.curve_of(directory, plan.objectives[0])
    reports = trial.intermediate_values.items() if plan.pruner_knobs["after"] == "epochs" else ()
    return found or sorted(reports)
