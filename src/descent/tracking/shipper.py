"""One thread that takes records off a queue and hands them over in batches, without taking time from training."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from descent.tracking.records import Record, Series

SECONDS_BETWEEN = 1.0
POINTS_A_BATCH = 1000
LARGEST_SHARE = 0.03  # of one core: the store's client is Python, and it holds the lock that training needs

# A thread that gets the interpreter's lock keeps it for a switch interval, 5 ms by default. A training step takes a
# fraction of that and lets go of the lock in every kernel, so while records are delivered it would wait 5 ms at each
# release. Measured on digits: 0.925 of a plain loop's speed with 5 ms, 0.96 with half a millisecond.
SWITCH_INTERVAL = 0.0005


class Shipper:
    """Delivers what was appended, in order. `deliver` gets a list of records and must not raise.

    `retry` is called where there is nothing new, so that what could not be delivered before gets another chance.
    """

    def __init__(self, deliver: Callable[[list[Record]], None], retry: Callable[[], None] | None = None) -> None:
        self._deliver = deliver
        self._retry = retry
        self._queue: deque[Record] = deque()
        self._points = 0  # waiting, about: two threads that append at once may lose a count, which wakes a bit later
        self._full = threading.Event()
        self._closing = threading.Event()
        # A daemon: a run that nobody closed must not keep a dying process alive.
        self._thread = threading.Thread(target=self._work, name="descent-tracking", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> None:
        """Never blocks and never fails."""
        self._queue.append(record)
        self._points += _points(record)
        if self._points >= POINTS_A_BATCH:
            self._full.set()

    def close(self) -> None:
        """Everything that was appended has been handed over when this returns."""
        self._closing.set()
        self._full.set()
        self._thread.join()

    def _work(self) -> None:
        rest = 0.0
        while not self._closing.wait(rest):
            self._full.wait(max(0.0, SECONDS_BETWEEN - rest))
            before = time.thread_time()
            self._hand_over()
            rest = rest_after(time.thread_time() - before)
        while self._queue:
            self._hand_over()

    def _hand_over(self) -> None:
        """All that waits now; what is appended meanwhile waits for the next time, so that training gets its rest."""
        self._full.clear()
        self._points = 0
        left = len(self._queue)
        with _quick_switches():
            if not left and self._retry:
                self._retry()
            while left > 0:
                batch = self._batch()
                left -= len(batch)
                self._deliver(batch)

    def _batch(self) -> list[Record]:
        """The next records, of at most so many points that one call of the store takes them; one at least."""
        batch = [self._queue.popleft()]
        points = _points(batch[0])
        while self._queue and points + _points(self._queue[0]) <= POINTS_A_BATCH:
            batch.append(self._queue.popleft())
            points += _points(batch[-1])
        return batch


def rest_after(spent: float) -> float:
    """Seconds to leave training alone, so that deliveries as costly as this one take no more than their share."""
    return spent / LARGEST_SHARE


_switching = threading.Lock()
_switchers = 0
_usual_interval = 0.0


@contextmanager
def _quick_switches() -> Iterator[None]:
    """The interval is the process's: the first of several shippers at work shortens it, the last one restores it."""
    global _switchers, _usual_interval
    with _switching:
        if not _switchers:
            _usual_interval = sys.getswitchinterval()
            sys.setswitchinterval(min(SWITCH_INTERVAL, _usual_interval))
        _switchers += 1
    try:
        yield
    finally:
        with _switching:
            _switchers -= 1
            if not _switchers:
                sys.setswitchinterval(_usual_interval)


def _points(record: Record) -> int:
    if isinstance(record, Series):
        return len(record.values)
    return len(getattr(record, "values", ()))
