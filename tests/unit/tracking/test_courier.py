"""The process that ships: it lives as long as its parent, and its own death costs nothing."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from descent.tracking import waiting
from descent.tracking.courier import Courier, _Child
from descent.tracking.outbox import Writer
from descent.tracking.owners import owner_tags
from descent.tracking.records import Metrics, Opened, Status
from descent.tracking.store import open_store

PARENT = """
import sys, time
from pathlib import Path
from descent.tracking.courier import courier
from descent.tracking.destination import Destination
from descent.tracking.run import open_run
root = Path(sys.argv[1])
with open_run(Destination("local", None, "descent", root), root / "run", name="r", tags={}) as run:
    print(courier._child.process.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def courier():
    own = Courier()
    yield own
    if own._child:
        own._child.process.kill()
        own._child.process.wait()


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path / "run")
    writer.append(Opened("r", {"local_id": "l0", **owner_tags()}, None, 1))
    return writer


def parent_and_child(root):
    command = [sys.executable, "-c", PARENT, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    parent = subprocess.Popen(command, **pipes)
    return parent, psutil.Process(int(parent.stdout.readline()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_it_does_not_outlive_a_killed_parent(local, number):
    parent, child = parent_and_child(local.root)
    assert child.is_running()
    parent.send_signal(number)
    assert parent.wait(30) == -number
    child.wait(10)
    assert not child.is_running()


def test_it_ends_with_a_parent_that_ends(local):
    parent, child = parent_and_child(local.root)
    parent.communicate("", timeout=60)
    assert parent.returncode == 0
    child.wait(10)
    [run] = open_store(local).client.search_runs([open_store(local).experiment_id])
    assert run.info.status == "FINISHED"


def test_ctrl_c_is_not_for_it(local):
    _, child = started = parent_and_child(local.root)
    assert os.getsid(child.pid) != os.getsid(started[0].pid)
    started[0].communicate("", timeout=60)


def test_one_that_was_killed_is_replaced(local, writer, courier):
    courier.open("l0", writer.folder, local)
    first = courier._child.process
    first.kill()
    first.wait()
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    writer.append(Status("FINISHED", 2))
    report = courier.finish("l0", writer.folder, local)
    assert report.done and report.away is None
    assert courier._child.process.pid != first.pid
    assert open_store(local).client.get_run(report.run_id).data.metrics == {"loss": 1.0}


def test_several_runs_share_one(local, tmp_path, courier):
    for number in range(3):
        writer = Writer(tmp_path / f"run{number}")
        writer.append(Opened(f"r{number}", {"local_id": f"l{number}", **owner_tags()}, None, 1))
        courier.open(f"l{number}", writer.folder, local)
        writer.append(Status("FINISHED", 2))
    pid = courier._child.process.pid
    reports = [courier.finish(f"l{number}", tmp_path / f"run{number}" / "outbox", local) for number in range(3)]
    assert all(report.done for report in reports)
    assert len({report.run_id for report in reports}) == 3
    assert courier._child.process.pid == pid


def test_what_was_handed_over_and_left_is_shipped_by_another(local, tmp_path, courier):
    """A worker is killed with its courier; the leader sees to its trial."""
    writer = Writer(tmp_path / "study" / "3")
    waiting.announce("l0", writer.folder, local)
    writer.append(Opened("r", {"local_id": "l0", **owner_tags()}, None, 1))
    writer.append(Status("FINISHED", 2))
    writer.close()
    killed = Courier()
    killed.hand_over("l0", writer.folder, local)
    killed._child.process.kill()
    killed._child.process.wait()
    assert courier.finish_under(tmp_path / "study", local) is None
    assert not waiting.is_waiting("l0", local.root)
    (run,) = open_store(local).client.search_runs([open_store(local).experiment_id])
    assert (run.info.status, run.data.tags["local_id"]) == ("FINISHED", "l0")


def test_what_a_worker_hands_over_is_shipped_by_its_leader(local, writer, courier):
    """The worker starts no process; the leader's ships what it is given when there is time."""
    worker = Courier()
    worker.through = courier.give
    writer.append(Status("FINISHED", 2))
    worker.hand_over("l0", writer.folder, local)
    assert worker._child is None
    reports, news = courier._child.reports, courier._child.news
    with news:
        assert news.wait_for(lambda: (found := reports.get(str(writer.folder))) and found.done, 60)
    run = open_store(local).client.get_run(reports[str(writer.folder)].run_id)
    assert (run.info.status, run.data.tags["local_id"]) == ("FINISHED", "l0")


def test_what_somebody_else_prints_there_is_passed_over():
    said = [
        "a library says hello",
        "[1, 2]",
        '{"event": "progress"}',
        '{"event": "done", "folder": "x", "run_id": "r"}',
    ]
    process = subprocess.Popen(["printf", "%s\\n", *said], stdout=subprocess.PIPE, text=True)
    child = _Child(process)
    child.listen()
    process.wait()
    assert child.reports["x"].done and child.reports["x"].run_id == "r"
