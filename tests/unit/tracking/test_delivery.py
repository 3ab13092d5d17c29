"""An outbox is told to a store in few calls, in order, once; what fails is tried again from where it stopped."""

from collections import Counter

import numpy as np
import pytest

from descent.tracking import store as stores
from descent.tracking.delivery import Delivery
from descent.tracking.outbox import Reader, Writer
from descent.tracking.owners import STARTED, close_abandoned, owner_tags
from descent.tracking.records import Dataset, Files, Metrics, Opened, Params, Series, Status, Tags
from descent.tracking.store import Store, open_store


class Flaky:
    """A real client whose named calls fail so many times, after they were done or before; all are counted."""

    def __init__(self, client, *, answered=True, **faults):
        self.client, self.faults, self.answered = client, faults, answered
        self.calls = Counter()

    def __getattr__(self, name):
        def call(*arguments, **named):
            self.calls[name] += 1
            if self.faults.get(name, 0) > 0:
                self.faults[name] -= 1
                if not self.answered:
                    getattr(self.client, name)(*arguments, **named)
                raise ConnectionError("Connection refused")
            return getattr(self.client, name)(*arguments, **named)

        return call


@pytest.fixture
def store(local):
    return open_store(local)


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path / "run")
    writer.append(Opened("first", {"local_id": "l0", "arm": "a"}, None, 1_700_000_000_000))
    return writer


def delivery(writer, store, client=None) -> Delivery:
    return Delivery(Reader(writer.folder), Store(client or store.client, store.experiment_id, store.uri))


def ship(writer, store, client=None) -> Delivery:
    told = delivery(writer, store, client)
    for _ in told.ship():
        pass
    return told


def until_done(writer, store, client) -> Delivery:
    """Each attempt is a process of its own: nothing is remembered but what is on disk."""
    for _ in range(20):
        try:
            return ship(writer, store, client)
        except ConnectionError:
            continue
    raise AssertionError("it never arrived")


def everything(writer):
    writer.append(Params({f"p{number}": str(number) for number in range(250)}))
    writer.append(Tags({f"t{number}": str(number) for number in range(20)}))
    writer.append(Dataset("d", "1", "training", "s", {}))
    for epoch in range(30):
        writer.append(Metrics({f"m{number}": float(epoch) for number in range(8)}, epoch, epoch))
    writer.append(Series("step/loss", np.arange(2500.0), 0, 0, 2500))
    for number in range(3):
        writer.append(Files(writer.put(f"text/{number}.txt", lambda target: target.write_text("text"))))
    writer.append(Status("FINISHED", 1_700_000_009_000))


def check(store, run_id):
    run = store.client.get_run(run_id)
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED",
        1_700_000_000_000,
        1_700_000_009_000,
    )
    assert len(run.data.params) == 250
    assert run.data.tags["arm"] == "a"
    assert len(run.inputs.dataset_inputs) == 1
    for key, steps in (("m3", 30), ("step/loss", 2500)):
        points = store.client.get_metric_history(run_id, key)
        assert sorted(point.step for point in points) == list(range(steps))
    assert len(store.client.list_artifacts(run_id, "text")) == 3
    assert len(store.client.search_runs([store.experiment_id])) == 1


def test_an_ordinary_run_takes_few_calls(store, writer):
    everything(writer)
    client = Flaky(store.client)
    told = ship(writer, store, client)
    check(store, told.run_id)
    assert told.is_complete and told.is_closed and told.problem is None
    calls = {
        "search_runs": 1,
        "create_run": 1,
        "log_batch": 8,
        "log_inputs": 1,
        "set_terminated": 1,
        "log_artifacts": 1,
    }
    assert client.calls == calls


def test_what_fits_into_one_call_is_told_in_one(store, writer):
    writer.append(Params({"lr": "1"}))
    writer.append(Tags({"arm": "b"}))
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    writer.append(Series("step/loss", np.arange(3.0), 0, 0, 3))
    client = Flaky(store.client)
    told = ship(writer, store, client)
    assert client.calls == {"search_runs": 1, "create_run": 1, "log_batch": 1}
    run = store.client.get_run(told.run_id)
    assert (run.data.params, run.data.tags["arm"]) == ({"lr": "1"}, "b")
    assert run.data.metrics == {"loss": 1.0, "step/loss": 2.0}


CALLS = ["search_runs", "create_run", "log_batch", "log_inputs", "set_terminated", "log_artifacts"]


@pytest.mark.parametrize("answered", [True, False], ids=["refused", "done-but-unanswered"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_fails_costs_nothing_and_doubles_nothing(store, writer, call, answered):
    everything(writer)
    client = Flaky(store.client, answered=answered, **{call: 3})
    check(store, until_done(writer, store, client).run_id)
    assert client.faults[call] < 3


def test_a_creation_that_is_answered_too_late_leaves_no_second_run(store, writer):
    everything(writer)
    late = Flaky(store.client, create_run=1)
    with pytest.raises(ConnectionError):
        ship(writer, store, late)
    told = delivery(writer, store)
    shipped = told.ship()
    next(shipped)
    store.client.create_run(store.experiment_id, tags={"local_id": "l0"})  # what the server had in its queue
    for _ in shipped:
        pass
    check(store, told.run_id)


def test_shipping_goes_on_where_it_stopped(store, writer):
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    ship(writer, store)
    writer.append(Metrics({"loss": 2.0}, 1, 1))
    client = Flaky(store.client)
    told = ship(writer, store, client)
    assert client.calls == {"log_batch": 1}
    assert store.client.get_run(told.run_id).data.metrics == {"loss": 2.0}


def test_a_position_that_was_lost_doubles_nothing(store, writer):
    everything(writer)
    ship(writer, store)
    (writer.folder / "shipped.json").unlink()
    check(store, ship(writer, store).run_id)


def test_files_that_cannot_go_do_not_hold_up_the_rest(store, writer):
    everything(writer)
    client = Flaky(store.client, log_artifacts=1)
    with pytest.raises(ConnectionError):
        ship(writer, store, client)
    told = delivery(writer, store)
    assert store.client.get_run(told.run_id).info.status == "FINISHED"
    assert not told.is_complete
    check(store, ship(writer, store).run_id)


def test_a_refused_record_does_not_take_the_others_with_it(store, writer):
    told = ship(writer, store)
    store.client.log_param(told.run_id, "lr", "1")
    writer.append(Params({"lr": "2"}))
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    told = ship(writer, store)
    assert told.is_complete and told.problem
    stored = store.client.get_run(told.run_id)
    assert (stored.data.params, stored.data.metrics) == ({"lr": "1"}, {"loss": 1.0})


def test_a_later_sitting_sets_the_run_running_again(store, writer):
    writer.append(Status("KILLED", 5))
    first = ship(writer, store)
    assert store.client.get_run(first.run_id).info.status == "KILLED"
    writer.append(Opened("first", {"local_id": "l0", "owner.pid": "7"}, None, 9))
    second = ship(writer, store)
    assert second.run_id == first.run_id
    run = store.client.get_run(first.run_id)
    assert (run.info.status, run.data.tags["owner.pid"]) == ("RUNNING", "7")
    assert not second.is_closed


def test_a_later_sitting_is_never_taken_for_an_abandoned_one(store, writer):
    """Whoever clears up may look at any moment: before each call that the delivery makes, and after it."""
    gone = {**owner_tags(), STARTED: "1.00"}
    writer.append(Tags(gone))
    writer.append(Status("FINISHED", 5))
    ship(writer, store)
    looks = []

    class Watched(Flaky):
        def __getattr__(self, name):
            def call(*arguments, **named):
                looks.append((name, close_abandoned(store)))
                answer = getattr(self.client, name)(*arguments, **named)
                looks.append((name, close_abandoned(store)))
                return answer

            return call

    writer.append(Opened("first", {"local_id": "l0", **owner_tags()}, None, 9))
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    writer.append(Status("FINISHED", 12))
    told = ship(writer, store, Watched(store.client))
    assert {"update_run", "set_terminated"} <= {name for name, _ in looks}
    assert not any(closed for _, closed in looks)
    run = store.client.get_run(told.run_id)
    assert run.info.status == "FINISHED" and "status_reason" not in run.data.tags


def test_sittings_that_wait_together_end_as_the_last_one(store, writer):
    writer.append(Status("KILLED", 5))
    writer.append(Opened("first", {"local_id": "l0"}, None, 9))
    writer.append(Status("FINISHED", 12))
    told = ship(writer, store)
    assert store.client.get_run(told.run_id).info.status == "FINISHED"


def test_a_child_knows_its_parent(store, writer, tmp_path):
    parent = ship(writer, store)
    child = Writer(tmp_path / "child")
    child.append(Opened("second", {"local_id": "l1"}, "l0", 1))
    told = ship(child, store)
    assert store.client.get_run(told.run_id).data.tags["mlflow.parentRunId"] == parent.run_id


def test_an_abandoned_run_is_closed_once(store, writer):
    told = ship(writer, store)
    told.close_abandoned()
    run = store.client.get_run(told.run_id)
    assert (run.info.status, run.data.tags["status_reason"]) == ("KILLED", "its process is gone")
    client = Flaky(store.client)
    delivery(writer, store, client).close_abandoned()
    assert client.calls == {}


def test_a_damaged_record_is_said(store, writer):
    writer.append(Metrics({"loss": 1.0}, 0, 0))
    content = bytearray((writer.folder / "log").read_bytes())
    content[-5] ^= 1
    (writer.folder / "log").write_bytes(content)
    told = ship(writer, store)
    assert told.problem == "a record is damaged"
    assert told.is_complete


def test_what_is_remembered_is_safe_in_the_store_before(writer, store, monkeypatch):
    """After a loss of power the store has what the outbox thinks that it has."""
    happened = []
    keep = Reader.keep
    monkeypatch.setattr(stores, "sync_file", lambda path: happened.append(path.name))
    monkeypatch.setattr(
        Reader, "keep", lambda self, **changes: (happened.append(sorted(changes)), keep(self, **changes))[1]
    )
    everything(writer)
    told = Delivery(Reader(writer.folder), store)
    for _ in told.ship():
        pass
    told.close_abandoned()
    ends = [at for at, one in enumerate(happened) if one in (["said"], ["files"], ["closed"])]
    assert len(ends) >= 3 and all(happened[at - 1] == "mlflow.db-wal" for at in ends)
    assert not any("run_id" in one for one in happened)  # it is kept with what follows it
    assert Reader(writer.folder).state["run_id"] == told.run_id
