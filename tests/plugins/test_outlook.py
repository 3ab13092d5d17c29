"""What is told at the end of a search: the best, what mattered, what lies at an end, what pruning saved."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from optuna.trial import TrialState, create_trial

from hydra_plugins.descent_sweeper._display import Forecast, Running
from hydra_plugins.descent_sweeper._draws import distribution
from hydra_plugins.descent_sweeper._outlook import (
    best_of,
    boundary_warnings,
    importances,
    picture,
    ranked,
    saved_by_pruning,
)
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._study import Queue

SPACE = [parsed("lr", "float [1e-4, 1] log"), parsed("width", "int [1, 100]"), parsed("kind", "a | b")]


@pytest.fixture
def queue(tmp_path):
    opened = Queue(tmp_path, SPACE)
    opened.create(["maximize"])
    return opened


def add(queue, value, lr=0.01, width=50, kind="a", state=TrialState.COMPLETE, epochs=()):
    trial = create_trial(
        state=state,
        value=value,
        params={"lr": lr, "width": width, "kind": kind},
        distributions={one.name: distribution(one) for one in SPACE},
        intermediate_values=dict(enumerate(epochs)),
    )
    queue.study.add_trial(trial)


def test_the_best_is_the_largest_or_the_smallest_and_the_earlier_of_equals(queue):
    for value in (0.5, 0.9, 0.9, 0.1):
        add(queue, value)
    assert best_of(queue.trials(), "maximize").number == 1
    assert best_of(queue.trials(), "minimize").number == 3
    assert [trial.number for trial in ranked(queue.trials(), "maximize")] == [1, 2, 0, 3]


def test_there_is_no_best_where_nothing_finished(queue):
    add(queue, 0.5, state=TrialState.PRUNED, epochs=(0.5,))
    assert best_of(queue.trials(), "maximize") is None


def test_a_planted_parameter_is_the_important_one(queue):
    random = np.random.default_rng(0)
    for _ in range(60):
        lr, width, kind = 10 ** random.uniform(-4, 0), int(random.integers(1, 101)), random.choice(["a", "b"])
        add(queue, -((math.log10(lr) + 2) ** 2) + 0.01 * random.normal(), lr, width, str(kind))
    found = importances(queue)
    assert max(found, key=found.get) == "lr"
    assert found["lr"] > 0.8
    assert sum(found.values()) == pytest.approx(1)


def test_a_few_trials_say_nothing_of_importance(queue):
    for value in range(9):
        add(queue, float(value))
    assert importances(queue) == {}


@pytest.mark.parametrize(
    ("lr", "width", "names"),
    [(0.01, 50, []), (1.1e-4, 50, ["lr"]), (0.99, 50, ["lr"]), (0.01, 100, ["width"]), (1e-4, 1, ["lr", "width"])],
)
def test_a_best_value_at_an_end_is_warned_about(queue, lr, width, names):
    add(queue, 1.0, lr, width)
    said = boundary_warnings(SPACE, queue.trials()[0])
    assert [line.split(":")[0] for line in said] == names


def test_what_pruning_saved(queue):
    add(queue, 0.5, state=TrialState.PRUNED, epochs=(0.1, 0.2))
    add(queue, 0.5, state=TrialState.PRUNED, epochs=(0.1,))
    add(queue, 0.9, epochs=(0.1, 0.2, 0.3))
    assert saved_by_pruning(queue, 10) == (8 + 9, 2)


def test_the_picture_of_a_study_that_goes_on(queue):
    add(queue, 0.5)
    add(queue, 0.9, lr=0.1, kind="b")
    add(queue, None, state=TrialState.FAIL)
    add(queue, None, lr=0.2, state=TrialState.RUNNING)
    queue.extend(8, [])
    plan = SimpleNamespace(objectives=["val/accuracy"], directions=["maximize"])
    told = {3: {"done": 1, "epochs": 2, "value": 0.3}, 1: {"done": 2, "epochs": 2, "value": 0.9}}
    seen = picture(queue, plan, Forecast(6, 0), told)
    assert seen.best == "best val/accuracy 0.9000  #1 lr=0.1 width=50 kind=b"
    assert seen.counts == {"finished": 2, "pruned": 0, "failed": 1, "running": 1, "waiting": 2}
    assert (seen.total, seen.running) == (6, [Running(3, "lr=0.2 width=50 kind=a", told[3])])
