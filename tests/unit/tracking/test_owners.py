"""Runs whose process is gone are closed at the next start; those of the living are left alone."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from descent.tracking import waiting
from descent.tracking.outbox import Writer
from descent.tracking.owners import HOST, PID, STARTED, close_abandoned, owner_tags
from descent.tracking.records import Opened, Status
from descent.tracking.shipping import HELD, Shipment
from descent.tracking.store import Store, open_store
from descent.tracking.sync import sync

SOURCE = Path(__file__).parents[3] / "src"
KILLED_INSIDE = """
import os, signal, sys
from pathlib import Path
from descent.tracking.run import open_run
from descent.tracking.destination import Destination

root = Path(sys.argv[1])
with open_run(Destination("local", None, "descent", root), root / "run", name="cut", tags={}) as run:
    run.metrics({"loss": 1.0}, 0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(local):
    return open_store(local)


def status_of(store, tags: dict[str, str]) -> str:
    run = store.client.create_run(store.experiment_id, tags=tags)
    close_abandoned(store)
    return store.client.get_run(run.info.run_id).info.status


def test_a_killed_process_leaves_a_run_that_the_next_start_closes(local, store):
    command = [sys.executable, "-c", KILLED_INSIDE, str(local.root)]
    assert subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, timeout=120).returncode == -9
    [sent] = sync(local.root)
    assert (sent.name, sent.waits) == ("cut", None)
    [closed] = store.client.search_runs([store.experiment_id])
    assert (closed.info.status, closed.data.tags["status_reason"]) == ("KILLED", "its process is gone")
    assert closed.data.metrics == {"loss": 1.0}
    assert list(sync(local.root)) == []


def test_the_living_are_left_alone(store):
    assert status_of(store, owner_tags()) == "RUNNING"


def test_another_host_is_not_ours_to_judge(store):
    assert status_of(store, {**owner_tags(), HOST: "elsewhere"}) == "RUNNING"


def test_a_number_that_was_given_away_again_is_another_process(store):
    earlier = psutil.Process().create_time() - 100
    assert status_of(store, {**owner_tags(), STARTED: f"{earlier:.2f}"}) == "KILLED"


def test_a_run_that_does_not_say_whose_it_is_has_no_owner(store):
    assert status_of(store, {HOST: owner_tags()[HOST], PID: "no number"}) == "KILLED"


def test_one_that_was_taken_up_again_meanwhile_is_left_alone(store):
    """Found without an owner, and given one before it was closed."""
    run = store.client.create_run(store.experiment_id, tags={**owner_tags(), STARTED: "1.00"})

    class Late:
        def __getattr__(self, name):
            return getattr(store.client, name)

        def search_runs(self, *arguments):
            found = store.client.search_runs(*arguments)
            store.client.set_tag(run.info.run_id, STARTED, owner_tags()[STARTED])
            return found

    assert close_abandoned(Store(Late(), store.experiment_id, store.uri)) == 0
    assert store.client.get_run(run.info.run_id).info.status == "RUNNING"


def test_an_outbox_that_is_taken_up_again_while_it_is_shipped_is_its_new_owner_s(local, store, monkeypatch):
    gone, here = ({"local_id": "l0", **owner_tags(), STARTED: started} for started in ("1.00", owner_tags()[STARTED]))
    writer = Writer(local.root / "run")
    waiting.announce("l0", writer.folder, local)
    writer.append(Opened("again", gone, None, 1))
    writer.append(Status("FINISHED", 2))
    ship = Shipment.ship
    monkeypatch.setattr(
        Shipment, "ship", lambda *given: (writer.append(Opened("again", here, None, 3)), ship(*given))[1]
    )
    [sent] = sync(local.root)
    assert sent.waits == HELD
    [run] = store.client.search_runs([store.experiment_id])
    assert run.info.status == "RUNNING" and "status_reason" not in run.data.tags
