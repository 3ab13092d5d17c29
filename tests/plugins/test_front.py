"""Several objectives: the front against every pair of trials, and a search that runs out of patience with it."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from optuna.trial import TrialState, create_trial

from hydra_plugins.descent_sweeper._front import extended, front
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue

BOTH = ["maximize", "minimize"]


def trials_of(rows):
    made = []
    for number, values in enumerate(rows):
        state = TrialState.COMPLETE if values else TrialState.FAIL
        trial = create_trial(state=state, values=values or None)
        trial.number = number
        trial.datetime_complete = datetime(2024, 1, 1) + timedelta(seconds=number)
        made.append(trial)
    return made


def numbers(trials):
    return [trial.number for trial in trials]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("directions", [BOTH, ["minimize", "minimize", "maximize"]], ids=str)
def test_the_front_is_what_no_pair_excludes(seed, directions):
    values = np.random.default_rng(seed).integers(0, 8, (40, len(directions))).astype(float)
    costs = values * np.array([-1.0 if direction == "maximize" else 1.0 for direction in directions])
    beaten = [any((other <= own).all() and (other < own).any() for other in costs) for own in costs]
    found = front(trials_of(values.tolist()), directions)
    assert sorted(numbers(found)) == [number for number, is_beaten in enumerate(beaten) if not is_beaten]


def test_the_front_begins_with_the_best_of_the_first_objective_and_leaves_out_what_failed():
    assert numbers(front(trials_of([[1.0, 1.0], [3.0, 9.0], None, [2.0, 4.0], [2.0, 5.0]]), BOTH)) == [1, 3, 0]


def test_equals_stand_side_by_side():
    assert numbers(front(trials_of([[1.0, 1.0], [1.0, 1.0]]), BOTH)) == [0, 1]


def test_a_beaten_trial_leaves_the_front_as_it_is():
    known, (worse, better) = trials_of([[2.0, 2.0]]), trials_of([[1.0, 3.0], [3.0, 1.0]])
    assert extended(known, worse, BOTH) is known
    assert extended(known, better, BOTH) == [better]


@pytest.mark.parametrize(("patience", "stops"), [(1, True), (2, True), (3, False)])
def test_patience_counts_trials_that_leave_the_front_as_it_is(patience, stops):
    rows = [[1.0, 1.0], [3.0, 9.0], [0.0, 1.0], [1.0, 2.0]]
    reason = Stopping(maximize=True, directions=BOTH, patience=patience).reason(trials_of(rows))
    assert (reason == f"no improvement in 2 trials (search.patience={patience})") is stops


def test_a_study_keeps_a_value_for_each_objective(tmp_path):
    queue = Queue(tmp_path, [])
    queue.create(BOTH)
    queue.extend(1, [])
    queue.finish(
        queue.claim("random", {}, 0, Stopping(maximize=True, directions=BOTH)), TrialState.COMPLETE, [0.5, 9.0]
    )
    assert numbers(front(queue.trials(), BOTH)) == [0]
    assert queue.trials()[0].values == [0.5, 9.0]
