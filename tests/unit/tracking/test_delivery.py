"""A store that fails for a while loses nothing, and one that fails for good does not stay RUNNING."""

import threading
import time

import pytest

from descent.tracking import delivery as module
from descent.tracking.delivery import Delivery
from descent.tracking.records import Files, Metrics, Params, Status
from descent.tracking.store import Store


class Flaky:
    """A client whose named calls raise so many times; what got through is kept in order."""

    def __init__(self, **faults):
        self.faults = faults
        self.done = []
        self.tried = []

    def __getattr__(self, name):
        def call(*arguments, **named):
            self.tried.append(name)
            if self.faults.get(name, 0) > 0:
                self.faults[name] -= 1
                raise ConnectionError("Connection refused")
            self.done.append((name, named))

        return call

    @property
    def steps(self):
        return [metric.step for _, named in self.done for metric in named.get("metrics", ())]

    @property
    def names(self):
        return [name for name, _ in self.done]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF", 0.0)
    monkeypatch.setattr(module, "PAUSE_AT_END", 0.001)


def delivery(client) -> Delivery:
    return Delivery(Store(client, "1", "sqlite://"), "run")


def point(step):
    return Metrics({"loss": 1.0}, step, 0)


def test_a_passing_fault_loses_nothing_and_keeps_the_order():
    client = Flaky(log_batch=2)
    told = delivery(client)
    for step in range(4):
        told.deliver([point(step)])
    told.deliver([Status("FINISHED", 0)])
    told.close()
    assert client.steps == [0, 1, 2, 3]
    assert client.names[-1] == "set_terminated"
    assert told.problem is None


def test_a_retry_needs_nothing_new():
    client = Flaky(log_batch=1)
    told = delivery(client)
    told.deliver([point(0)])
    assert client.steps == []
    told.retry()
    assert client.steps == [0]


def test_a_store_that_is_away_is_not_asked_at_every_wake_up(monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF", 100.0)
    client = Flaky(log_batch=99)
    told = delivery(client)
    for step in range(10):
        told.deliver([point(step)])
    assert client.tried == ["log_batch"]


def test_the_pauses_grow(monkeypatch):
    monkeypatch.setattr(module, "BACK_OFF", 1.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    told = delivery(Flaky(log_batch=99))
    told.deliver([point(0)])
    pauses = []
    for _ in range(9):
        pauses.append(told._not_before)
        told._advance()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_is_away_at_the_end_gets_a_few_chances():
    client = Flaky(log_batch=3)
    told = delivery(client)
    told.deliver([point(0), Status("FINISHED", 0)])
    told.close()
    assert (client.steps, client.names[-1], told.problem) == ([0], "set_terminated", None)


def test_a_batch_that_never_goes_costs_only_itself():
    client = Flaky(log_batch=99)
    told = delivery(client)
    told.deliver([Params({"lr": "1"}), Status("FINISHED", 0)])
    told.close()
    assert client.names == ["set_terminated"]
    assert told.problem == "connection refused"


def test_files_that_fail_do_not_leave_a_run_running(tmp_path):
    client = Flaky(log_artifacts=99)
    told = delivery(client)
    told.deliver([Files(str(tmp_path)), point(0)])
    told.deliver([point(1), Status("FINISHED", 0)])
    assert (client.steps, client.names[-1]) == ([0, 1], "set_terminated")
    told.close()
    assert told.problem == "connection refused"


def test_files_that_fail_once_arrive_at_the_end(tmp_path):
    client = Flaky(log_artifacts=1)
    told = delivery(client)
    told.deliver([Files(str(tmp_path)), Status("FINISHED", 0)])
    told.close()
    assert client.names == ["set_terminated", "log_artifacts"]
    assert told.problem is None


def test_the_end_does_not_take_long_where_every_call_hangs(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_AT_END", 0.3)
    client = Flaky()

    def hang(*arguments, **named):
        threading.Event().wait(0.1)
        raise ConnectionError("timed out")

    client.log_batch = client.log_artifacts = hang
    told = delivery(client)
    for step in range(5):
        told.deliver([point(step)])
    told.deliver([Status("FINISHED", 0)])
    start = time.perf_counter()
    told.close()
    assert time.perf_counter() - start < 2
    assert client.names == ["set_terminated"]
    assert told.problem is not None
