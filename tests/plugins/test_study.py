"""The queue: every trial is run by one worker at a time, and none is lost, whoever is killed."""

import json
import multiprocessing
import os
import signal

import pytest
from optuna.trial import TrialState

from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import ENDED, MOST_CRASHES, Queue, differences

PROCESSES = multiprocessing.get_context("fork")
SPACE = [
    parsed("optimizer", "sgd | adam"),
    parsed("momentum", "float [0, 1]", "optimizer=sgd/momentum", (("optimizer", ("sgd",)),)),
    parsed("lr", "float [1e-4, 1] log"),
]
NEVER = Stopping(maximize=True)
MOMENTS = ("claimed", "reported", "told")


def opened(directory):
    queue = Queue(directory, SPACE)
    queue.create(["maximize"])
    return queue


def value_of(point):
    return float(point["lr"]) + float(point.get("momentum", 0.0))


def dies(directory, number, moment):
    """Every third trial kills its worker once: after its claim, in the middle, or after its end."""
    mark = directory / f"died-{number}"
    if number % 3 == 0 and MOMENTS[number % 4 % 3] == moment and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def drain(directory, choice="random", stopping=NEVER, most=None, fatal=False):
    """What a worker does, without a training: notes every start in a file that only it writes."""
    queue = Queue(directory, SPACE)
    queue.open()
    while (most is None or most > 0) and (claim := queue.claim(choice, {"random_trials": 5}, 0, stopping)):
        with (directory / f"seen-{os.getpid()}").open("a") as seen:
            seen.write(json.dumps([claim.number, claim.point]) + "\n")
        for moment in MOMENTS if fatal else ():
            if moment == "told":
                queue.finish(claim, TrialState.COMPLETE, [value_of(claim.point)])
            elif moment == "reported":
                claim.trial.report(0.5, 0)
            dies(directory, claim.number, moment)
        queue.finish(claim, TrialState.COMPLETE, [value_of(claim.point)])
        most = None if most is None else most - 1


def points_of(queue):
    return {trial.number: queue.point_of(trial) for trial in queue.trials(TrialState.COMPLETE)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    queue = opened(directory)
    queue.extend(60, [])
    drain(directory)
    return points_of(queue)


def test_a_total_is_reached_and_extended(tmp_path):
    queue = opened(tmp_path)
    queue.extend(5, [])
    drain(tmp_path)
    assert queue.ended == 5
    queue.extend(5, [])
    drain(tmp_path)
    assert queue.ended == 5
    queue.extend(8, [])
    drain(tmp_path)
    assert [trial.number for trial in queue.trials(*ENDED)] == list(range(8))


def test_the_first_points_are_those_given(tmp_path):
    queue = opened(tmp_path)
    queue.extend(3, [{"optimizer": "sgd", "momentum": "0.25", "lr": "0.5"}, {"lr": "0.125"}])
    drain(tmp_path)
    points = points_of(queue)
    assert points[0] == {"optimizer": "sgd", "momentum": "0.25", "lr": "0.5"}
    assert points[1]["lr"] == "0.125" and points[1]["optimizer"] in ("sgd", "adam")


def test_many_workers_draw_what_one_draws(tmp_path, undisturbed):
    queue = opened(tmp_path)
    queue.extend(60, [])
    workers = [PROCESSES.Process(target=drain, args=(tmp_path,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert points_of(queue) == undisturbed
    seen = [json.loads(line)[0] for file in tmp_path.glob("seen-*") for line in file.read_text().splitlines()]
    assert sorted(seen) == list(range(60))


def test_an_interrupted_study_draws_what_an_undisturbed_one_draws(tmp_path, undisturbed):
    queue = opened(tmp_path)
    queue.extend(60, [])
    for _ in range(6):
        drain(tmp_path, most=10)
    assert points_of(queue) == undisturbed


def test_killed_workers_lose_and_double_nothing(tmp_path, undisturbed):
    queue = opened(tmp_path)
    queue.extend(60, [])
    workers = []
    while queue.ended < 60:
        queue.recover()
        workers = [worker for worker in workers if worker.is_alive()]
        while len(workers) < 3:
            workers.append(PROCESSES.Process(target=drain, args=(tmp_path,), kwargs={"fatal": True}))
            workers[-1].start()
    for worker in workers:
        worker.join()
    assert len(list(tmp_path.glob("died-*"))) == 20
    assert points_of(queue) == undisturbed
    assert queue.trials(TrialState.RUNNING) == []


def test_a_trial_of_a_dead_worker_goes_back_with_its_point(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])

    def claim_and_die():
        own = Queue(tmp_path, SPACE)
        own.open()
        claim = own.claim("random", {}, 0, NEVER)
        claim.trial.report(0.5, 3)
        os.kill(os.getpid(), signal.SIGKILL)

    worker = PROCESSES.Process(target=claim_and_die)
    worker.start()
    worker.join()
    (before,) = queue.trials(TrialState.RUNNING)
    assert queue.recover() == [0]
    claim = queue.claim("random", {}, 0, NEVER)
    assert claim.number == 0
    assert claim.trial.params == before.params
    assert queue.trials()[0].intermediate_values == {3: 0.5}


def test_a_trial_of_a_living_worker_stays(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])
    queue.claim("random", {}, 0, NEVER)
    assert queue.recover() == []


def test_a_trial_that_ends_its_process_too_often_is_failed(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])
    for time in range(MOST_CRASHES):
        claim = queue.claim("random", {}, 0, NEVER)
        assert queue.crashed(claim.number, "SIGSEGV") is (time == MOST_CRASHES - 1)
    (trial,) = queue.trials()
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["cause"] == "its process ended 3 times: SIGSEGV"


def test_a_second_answer_changes_nothing(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])
    claim = queue.claim("random", {}, 0, NEVER)
    queue.finish(claim, TrialState.COMPLETE, [0.5])
    queue.finish(claim, TrialState.FAIL, cause="")
    assert (queue.trials()[0].state, queue.trials()[0].value) == (TrialState.COMPLETE, 0.5)


def test_a_pruned_trial_has_the_last_value_that_it_reported(tmp_path):
    queue = opened(tmp_path)
    queue.extend(1, [])
    claim = queue.claim("random", {}, 0, NEVER)
    claim.trial.report(0.25, 4)
    queue.finish(claim, TrialState.PRUNED)
    assert (queue.trials()[0].state, queue.trials()[0].value) == (TrialState.PRUNED, 0.25)


def test_a_stopped_study_hands_out_nothing_until_it_goes_on(tmp_path):
    queue = opened(tmp_path)
    queue.extend(2, [])
    queue.stop("enough")
    assert queue.claim("random", {}, 0, NEVER) is None
    queue.begin_sitting({})
    assert queue.claim("random", {}, 0, NEVER).number == 0


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
