"""How a worker tells the ends of its trials: never before they are on the disk, beside the next trial where it can."""

from functools import partial
from threading import Event

import pytest
from optuna.trial import TrialState

from descent import trials
from hydra_plugins.descent_sweeper import _worker
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue
from hydra_plugins.descent_sweeper._worker import Plan


@pytest.fixture
def plan(tmp_path):
    (tmp_path / _worker.LOGS).mkdir()
    return Plan(
        directory=str(tmp_path), parameters=[], overrides=[], search="random", search_knobs={}, pruner="none",
        pruner_knobs={}, stopping={}, objectives=["val/loss"], directions=["minimize"], seed=0, parent="",
    )  # fmt: skip


@pytest.fixture
def queue(tmp_path):
    queue = Queue(tmp_path, [parsed("lr", "float [1e-4, 1] log")])
    queue.create(["minimize"])
    queue.extend(2, [])
    return queue


def claimed(queue):
    return queue.claim("random", {}, 0, Stopping(maximize=False))


def tell(plan, queue, claim, values, *ends, pruned=False):
    _worker._tell(plan, queue, claim, trials.CameTo(list(values), pruned), ends)


def test_at_once_each_end_is_over_before_the_next_trial():
    said = []
    with _worker._ends(ahead=False) as told:
        told(partial(said.append, 1))
        assert said == [1]


def test_ahead_the_next_trial_goes_on_while_one_end_waits_and_ends_keep_their_order():
    said, disk, begun = [], Event(), Event()

    def slow():
        begun.set()
        assert disk.wait(60)
        said.append(1)

    with _worker._ends(ahead=True) as told:
        told(slow)
        assert begun.wait(60) and said == []
        disk.set()
        told(partial(said.append, 2))
        assert said[0] == 1
    assert said == [1, 2]


@pytest.mark.parametrize("later", [0, 1])
def test_an_end_that_cannot_be_told_ends_the_worker(later):
    def broken():
        raise ConnectionError("the storage is away")

    with pytest.raises(ConnectionError, match="away"), _worker._ends(ahead=True) as told:
        told(broken)
        for _ in range(later):
            told(lambda: pytest.fail("nothing is told after it"))


def test_a_trial_is_on_the_disk_before_its_study_hears_of_it(plan, queue):
    claim, seen = claimed(queue), []
    tell(plan, queue, claim, [0.5], lambda: seen.append(queue.trials()[claim.number].state))
    assert seen == [TrialState.RUNNING]
    told = queue.trials()[claim.number]
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.5)


def test_one_that_the_disk_does_not_take_has_failed(plan, queue, tmp_path):
    def full():
        raise OSError(28, "No space left on device")

    claim = claimed(queue)
    tell(plan, queue, claim, [0.5], full)
    told = queue.trials()[claim.number]
    assert told.state == TrialState.FAIL
    assert "No space left on device" in told.user_attrs["cause"]
    assert "OSError" in _worker.log_of(tmp_path, claim.number).read_text()


def test_what_is_no_number_has_failed_and_what_was_pruned_is_pruned(plan, queue):
    first, second = claimed(queue), claimed(queue)
    tell(plan, queue, first, [float("nan")])
    second.trial.report(0.7, 0)
    tell(plan, queue, second, [0.7], pruned=True)
    states = [trial.state for trial in queue.trials()]
    assert states == [TrialState.FAIL, TrialState.PRUNED]
    assert queue.trials()[0].user_attrs["cause"] == "val/loss: got nan, allowed a number"


def test_an_end_is_not_lost_where_its_worker_is_told_to_stop_while_it_waits_for_another(monkeypatch):
    said, disk = [], Event()

    def stopped(earlier, timeout=None):
        disk.set()
        raise KeyboardInterrupt

    def slow():
        assert disk.wait(60)
        said.append(1)

    with pytest.raises(KeyboardInterrupt), _worker._ends(ahead=True) as told:
        told(slow)
        with monkeypatch.context() as patched:
            patched.setattr(_worker, "_waited_for", stopped)
            told(partial(said.append, 2))
    assert said == [1, 2]


@pytest.mark.parametrize(
    ("search", "pruner", "limits", "is_ahead"),
    [
        ("random", "none", {}, True),
        ("sobol", "threshold", {}, True),
        ("random", "median", {}, False),
        ("random", "wilcoxon", {}, False),
        ("random", "none", {"patience": 3}, False),
        ("random", "none", {"target": 0.9}, False),
        ("random", "none", {"max_failures": 1}, False),
        ("random", "none", {"deadline": 1e12}, True),
        *((learner, "none", {}, False) for learner in ("tpe", "gp", "cmaes", "anneal", "genetic")),
    ],
)
def test_the_next_trial_begins_early_where_nothing_depends_on_the_last(search, pruner, limits, is_ahead):
    assert _worker._goes_ahead(search, pruner, Stopping(maximize=True, **limits)) is is_ahead
