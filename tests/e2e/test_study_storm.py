"""A study under fire: workers and leaders are killed again and again, and what comes out is what comes out in peace."""

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from hydra_plugins.descent_sweeper._journal import Journal
from reference import forked

TRIALS, WORKER_KILLS, LEADER_KILLS = 64, 50, 10
SEARCH = ["-m", "search=random", "lr=tag(log,interval(1e-3,1e-1))", "model.hidden=[16],[32]", "study=fire"]
SEARCH += [f"n_trials={TRIALS}", "epochs=25", "checkpoint.seconds=0"]
ABSENT = ["-m", "search=random", "lr=interval(0.001,0.1)", "study=fresh", "n_trials=8", "workers=8", "epochs=1"]
ABSENT += ["dataset=synthetic", "dataset.samples=120", "model.hidden=[8]"]


def workers_of(leader):
    try:
        return [one for one in psutil.Process(leader.pid).children() if "_worker" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


def finished(root):
    known = (root / "sweeps" / "fire").glob("*/run.json")
    return sum(json.loads(file.read_text())["state"] == "finished" for file in known)


def kill_a_worker(leader, chance):
    """One that is alive when it is killed."""
    while True:
        assert leader.poll() is None, "the search ended before the storm"
        if workers := workers_of(leader):
            chance.choice(workers).kill()
            return
        time.sleep(0.02)


def storm(root):
    """The kills are spread over the whole search; the moment of each is random."""
    chance = random.Random(0)
    kills = ["worker"] * WORKER_KILLS + ["leader"] * LEADER_KILLS
    chance.shuffle(kills)
    leader = forked.begin(root, [*SEARCH, "workers=4"])
    for number, whom in enumerate(kills):
        while finished(root) < int(number * (TRIALS - 8) / len(kills)):
            assert leader.poll() is None, leader.answer()
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.6))
        if whom == "worker":
            kill_a_worker(leader, chance)
        else:
            leader.send_signal(signal.SIGKILL)
            leader.answer()
            leader = forked.begin(root, [*SEARCH, "workers=4"])
    answer = leader.answer(1200)
    assert answer.returncode == 0, answer


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The directory of the one that was killed and of the one that was left in peace."""
    peace, fire = tmp_path_factory.mktemp("peace"), tmp_path_factory.mktemp("fire")
    answer = forked.begin(peace, [*SEARCH, "workers=2", "tracking=none"]).answer(1200)
    assert answer.returncode == 0, answer
    storm(fire)
    return fire, peace


def trials_of(root):
    storage = JournalStorage(Journal(root / "sweeps" / "fire" / "study.journal"))
    return optuna.load_study(study_name="descent", storage=storage).trials


def digests(root):
    found = {}
    for number in range(TRIALS):
        results = json.loads((root / "sweeps" / "fire" / str(number) / "results.json").read_text())
        found[number] = results["weights_sha256"]
    return found


def runs_of(root):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    (experiment,) = [one for one in client.search_experiments() if one.name == "descent"]
    return client.search_runs([experiment.experiment_id], max_results=1000)


@pytest.mark.slow
def test_every_trial_finishes_once(studies):
    fire, _ = studies
    assert Counter(trial.state for trial in trials_of(fire)) == {TrialState.COMPLETE: TRIALS}


@pytest.mark.slow
def test_the_points_are_those_of_an_undisturbed_study(studies):
    fire, peace = studies
    points = [[trial.params for trial in trials_of(root)] for root in (fire, peace)]
    assert points[0] == points[1]
    assert [trial.value for trial in trials_of(fire)] == [trial.value for trial in trials_of(peace)]


@pytest.mark.slow
def test_the_weights_are_those_of_an_undisturbed_study(studies):
    fire, peace = studies
    assert digests(fire) == digests(peace)


@pytest.mark.slow
def test_the_store_has_each_run_once_and_none_is_running(studies):
    fire, _ = studies
    runs = runs_of(fire)
    directories = Counter(Path(one.data.tags.get("run_directory", "fire")).name for one in runs)  # the study has none
    assert directories == {"fire": 1, "best": 1, **{str(number): 1 for number in range(TRIALS)}}
    assert {one.info.status for one in runs} == {"FINISHED"}


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_eight_workers_start_at_once_on_stores_that_are_not_there(tmp_path, storage):
    for time_ in range(5):
        root = tmp_path / str(time_)
        root.mkdir()
        answer = forked.train(root, [*ABSENT, f"storage={storage}"])
        assert answer.returncode == 0, answer
        assert "8 finished" in answer.stdout
        assert {one.info.status for one in runs_of(root)} == {"FINISHED"}
        assert len(runs_of(root)) == 10
