"""A study: when it stops, how much of it is wanted, when it is over. Its queue is tested in test_queue.py."""

import pytest
from optuna.trial import TrialState

from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue, differences

SPACE = [
    parsed("optimizer", "sgd | adam"),
    parsed("momentum", "float [0, 1]", "optimizer=sgd/momentum", (("optimizer", ("sgd",)),)),
    parsed("lr", "float [1e-4, 1] log"),
]
NEVER = Stopping(maximize=True)


def opened(directory):
    queue = Queue(directory, SPACE)
    queue.create(["maximize"])
    return queue


def value_of(point):
    return float(point["lr"]) + float(point.get("momentum", 0.0))


def drain(directory, stopping=NEVER):
    queue = Queue(directory, SPACE)
    queue.open()
    while claim := queue.claim("random", {}, 0, stopping):
        queue.finish(claim, TrialState.COMPLETE, [value_of(claim.point)])


@pytest.mark.parametrize(
    ("stopping", "ended"),
    [
        (Stopping(maximize=True, target=0.9), 3),
        (Stopping(maximize=True, patience=2), 5),
        (Stopping(maximize=True, patience=2, min_improvement=0.5), 5),
        (Stopping(maximize=True, patience=1), 2),
        (Stopping(maximize=False, target=0.25), 1),
        (Stopping(maximize=False, patience=3), 4),
        (Stopping(maximize=True, deadline=0.0), 0),
    ],
)
def test_a_search_stops_after_an_exact_count(tmp_path, stopping, ended):
    queue = opened(tmp_path)
    values = [0.25, 0.25, 0.95, 0.5, 0.5, 0.5, 0.5]
    queue.extend(7, [{"optimizer": "adam", "lr": str(value)} for value in values])
    drain(tmp_path, stopping=stopping)
    assert queue.ended == ended
    assert queue.stopped


def test_failures_stop_a_hopeless_search(tmp_path):
    queue = opened(tmp_path)
    queue.extend(9, [])
    stopping = Stopping(maximize=True, max_failures=3)
    while claim := queue.claim("random", {}, 0, stopping):
        queue.finish(claim, TrialState.FAIL, cause="no")
    assert queue.ended == 3
    assert queue.stopped == "3 trials failed (max_failures=3)"


def test_differences_of_spaces_are_named():
    assert differences({"lr": "a", "x": "b"}, {"lr": "c", "y": "d"}) == ["lr a → c", "x b → absent", "y absent → d"]
    assert differences({"lr": "a"}, {"lr": "a"}) == []


def test_a_smaller_total_leaves_the_rest_in_the_queue(tmp_path):
    queue = opened(tmp_path)
    queue.extend(5, [])
    while claim := queue.claim("random", {}, 0, NEVER, 2):
        queue.finish(claim, TrialState.COMPLETE, [0.5])
    assert (queue.ended, len(queue.waiting(2)), len(queue.waiting(5))) == (2, 0, 3)


def test_a_study_is_closed_until_anything_happens(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])
    queue.close(refit=False)
    assert (queue.is_closed(refit=False), queue.is_closed(refit=True)) == (True, False)
    queue.finish(queue.claim("random", {}, 0, NEVER), TrialState.COMPLETE, [0.5])
    assert not queue.is_closed(refit=False)
