"""Everything arrives, in order, in few batches, at a bounded price."""

import sys
import threading
import time

import numpy as np
import pytest

from descent.tracking import shipper as module
from descent.tracking.records import Metrics, Series
from descent.tracking.shipper import POINTS_A_BATCH, Shipper, rest_after


def point(step):
    return Metrics({"loss": 1.0}, step, 0)


def test_all_records_arrive_in_order_in_full_batches():
    batches = []
    shipper = Shipper(batches.append)
    for step in range(2500):
        shipper.append(point(step))
    shipper.close()
    assert [record.step for batch in batches for record in batch] == list(range(2500))
    assert [len(batch) for batch in batches] == [1000, 1000, 500]


def test_nothing_is_delivered_for_nothing():
    batches = []
    Shipper(batches.append).close()
    assert batches == []


def test_a_long_series_fills_a_batch():
    batches = []
    shipper = Shipper(batches.append)
    for _ in range(2):
        shipper.append(Series("loss", np.zeros(POINTS_A_BATCH), 0, 0, 1))
    shipper.close()
    assert [len(batch) for batch in batches] == [1, 1]


def test_records_leave_while_the_run_goes_on(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.001)
    arrived = threading.Event()
    shipper = Shipper(lambda batch: arrived.set())
    shipper.append(point(0))
    assert arrived.wait(10)
    shipper.close()


def test_a_costly_delivery_is_followed_by_a_longer_pause():
    assert rest_after(0.3) == pytest.approx(0.3 / module.LARGEST_SHARE)


def test_append_does_not_wait_for_a_store_that_hangs():
    release, entered = threading.Event(), threading.Event()

    def deliver(batch):
        entered.set()
        release.wait(10)

    shipper = Shipper(deliver)
    start = time.perf_counter()
    for step in range(1000):
        shipper.append(point(step))
    assert time.perf_counter() - start < 0.5
    release.set()
    shipper.close()
    assert entered.is_set()


def test_one_wake_up_drains_the_queue(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.2)
    monkeypatch.setattr(module, "POINTS_A_BATCH", 10)
    monkeypatch.setattr(module, "rest_after", lambda spent: 100.0)  # a second wake-up would come too late
    batches, done = [], threading.Event()

    def deliver(batch):
        batches.append(len(batch))
        if sum(batches) == 35:
            done.set()

    shipper = Shipper(deliver)
    shipper._queue.extend(point(step) for step in range(35))
    assert done.wait(10)
    shipper.close()
    assert batches == [10, 10, 10, 5]


def test_a_full_batch_does_not_wait_for_the_next_second(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 100.0)
    arrived = threading.Event()
    shipper = Shipper(lambda batch: arrived.set())
    shipper.append(Series("loss", np.zeros(POINTS_A_BATCH), 0, 0, 1))
    assert arrived.wait(10)
    shipper.close()


def test_a_full_batch_waits_until_training_had_its_share(monkeypatch):
    monkeypatch.setattr(module, "rest_after", lambda spent: 100.0)
    batches, arrived = [], threading.Event()

    def deliver(batch):
        batches.append(batch)
        arrived.set()

    shipper = Shipper(deliver)
    shipper.append(Series("loss", np.zeros(POINTS_A_BATCH), 0, 0, 1))
    assert arrived.wait(10)
    shipper.append(Series("loss", np.zeros(POINTS_A_BATCH), 0, 0, 1))
    time.sleep(0.2)
    assert len(batches) == 1
    shipper.close()
    assert len(batches) == 2


def test_a_batch_is_no_larger_than_a_call_takes():
    sizes = []
    shipper = Shipper(lambda batch: sizes.append([len(record.values) for record in batch]))
    for size in (600, 600, 400, 2000, 1):
        shipper.append(Series("loss", np.zeros(size), 0, 0, 1))
    shipper.close()
    assert sizes == [[600], [600, 400], [2000], [1]]


def test_threads_are_switched_quickly_during_a_delivery_only():
    usual, during = sys.getswitchinterval(), []
    shippers = [Shipper(lambda batch: during.append(sys.getswitchinterval())) for _ in range(3)]
    for shipper in shippers:
        shipper.append(point(0))
    for shipper in shippers:
        shipper.close()
    assert during == [pytest.approx(module.SWITCH_INTERVAL)] * 3
    assert sys.getswitchinterval() == usual


def test_nothing_new_is_a_chance_to_retry(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN", 0.001)
    retried = threading.Event()
    shipper = Shipper(lambda batch: None, retried.set)
    assert retried.wait(10)
    shipper.close()
