"""One thread that takes records off a queue and hands them over in batches, without taking time from training."""

import threading
import time
from collections import deque
from collections.abc import Callable

from descent.tracking.records import Record, Series

SECONDS_BETWEEN = 1.0
POINTS_A_BATCH = 1000
LARGEST_SHARE = 0.03  # of one core: the store's client is Python, and it holds the lock that training needs


class Shipper:
    """Delivers what was appended, in order. `deliver` gets a list of records and must not raise."""

    def __init__(self, deliver: Callable[[list[Record]], None]) -> None:
        self._deliver = deliver
        self._queue: deque[Record] = deque()
        self._closing = threading.Event()
        # A daemon: a run that nobody closed must not keep a dying process alive.
        self._thread = threading.Thread(target=self._work, name="descent-tracking", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Never blocks and never fails."""
        self._queue.append(record)

    def close(self) -> None:
        """Everything that was appended has been handed over when this returns."""
        self._closing.set()
        self._thread.join()

    def _work(self) -> None:
        pause = SECONDS_BETWEEN
        while not self._closing.wait(pause):
            before = time.thread_time()
            self._hand_over()
            pause = pause_after(time.thread_time() - before)
        while self._queue:
            self._hand_over()

    def _hand_over(self) -> None:
        """One batch, of at most so many points that one call of the store takes them."""
        batch: list[Record] = []
        points = 0
        while self._queue and points < POINTS_A_BATCH:
            batch.append(self._queue.popleft())
            points += _points(batch[-1])
        if batch:
            self._deliver(batch)


def pause_after(spent: float) -> float:
    """Seconds until the next batch, so that batches as costly as this one take no more than their share."""
    return max(SECONDS_BETWEEN, spent / LARGEST_SHARE)


def _points(record: Record) -> int:
    if isinstance(record, Series):
        return len(record.values)
    return len(getattr(record, "values", ()))
