"""Everything arrives, in order, in few batches, at a bounded price."""

import threading
import time

import numpy as np
import pytest

from descent.tracking import shipper as module
from descent.tracking.records import Metrics, Series
from descent.tracking.shipper import POINTS_A_BATCH, Shipper, pause_after


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
    assert pause_after(0.001) == module.SECONDS_BETWEEN
    assert pause_after(0.3) == pytest.approx(0.3 / module.LARGEST_SHARE)


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
