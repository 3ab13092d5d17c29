"""The process that ships: it reads outboxes and speaks to the store, so that training neither waits nor pays.

It is started by the courier, which tells it over its standard input, a line of JSON each, which outboxes there are; it
answers on its standard output. It ends when its parent does; what is left then goes with the next start of anything.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from descent import lifeline
from descent.tracking import waiting
from descent.tracking.delivery import Delivery
from descent.tracking.destination import Destination, reason_of
from descent.tracking.outbox import Reader
from descent.tracking.owners import close_abandoned, is_held
from descent.tracking.store import Store, open_store, quiet_mlflow, sync_seldom

SECONDS_BETWEEN = 1.0
BACK_OFF = 1.0  # seconds until the first retry; doubled by each that fails
LONGEST_BACK_OFF = 60.0
LONGEST_LINGER = 60.0
SECONDS_FOR_OTHERS = 5.0  # that have found an outbox of ours closed, and ship what is left of it
SECONDS_FOR_OTHERS_HERE = 40.0  # where the store is a file of this machine: it may be being made, on busy cores
SECONDS_TO_END = 1.0
LINGER, END = {"order": "linger"}, {"order": "end"}
NICE = 5  # of the thread that nobody waits for; not more, for somebody may come to wait for what it is at
AUTOGROUP = Path("/proc/self/autogroup")  # Linux shares processors among sessions: this one is a session of its own
SECONDS_BETWEEN_CHANGES, TRIES = 0.1, 3  # of those that the kernel allows: others may be at it
LITTLE, FAIR = 19, 0  # niceness of a session: while a training runs only what it leaves is used

HELD = "still running: its own process ships it"

Tell = Callable[[dict[str, Any]], None]


class Stores:
    """Opened ones, by destination, and when those that failed may be tried again."""

    def __init__(self) -> None:
        self._opened: dict[Destination, Store] = {}
        self._failures: dict[Destination, int] = {}
        self._not_before: dict[Destination, float] = {}

    def rests(self, destination: Destination) -> bool:
        """Whether it has failed a moment ago."""
        return time.monotonic() < self._not_before.get(destination, 0.0)

    @contextmanager
    def use(self, destination: Destination) -> Iterator[Store]:
        """An open store; a failure inside makes it rest, the longer the more there were."""
        try:
            if destination not in self._opened:
                self._opened[destination] = open_store(destination)
            yield self._opened[destination]
        except BaseException:
            failures = self._failures[destination] = self._failures.get(destination, 0) + 1
            pause = min(LONGEST_BACK_OFF, BACK_OFF * 2 ** min(failures - 1, 10))
            self._not_before[destination] = time.monotonic() + pause
            self._opened.pop(destination, None)
            raise
        self._failures.pop(destination, None)


class Shipment:
    """One outbox on its way to one store. Only one process ships it at a time."""

    def __init__(self, local_id: str, folder: Path, destination: Destination) -> None:
        self.local_id, self.folder, self.destination = local_id, folder, destination
        self.turn = threading.Lock()
        self._held = FileLock(folder / ".lock", thread_local=False)
        self._seen = -1

    def has_news(self) -> bool:
        """Whether something was said since everything was shipped last; costs a look at a file's size."""
        return Reader(self.folder).size() != self._seen

    def ship(self, stores: Stores, progress: Callable[[], None], patience: float = 0.0) -> Delivery:
        """Everything that waits. Raises Timeout where another process is at it, and what the store's driver raises."""
        with self._held.acquire(timeout=patience):
            reader, root = Reader(self.folder), self.destination.root
            with stores.use(self.destination) as store:
                delivery = Delivery(reader, store, lambda local_id: waiting.is_waiting(local_id, root))
                for _ in delivery.ship():
                    progress()
            if delivery.is_complete:
                self._seen = reader.size()
                if delivery.is_closed:
                    waiting.forget(self.local_id, root)
        return delivery


class Shipping:
    """What the process does: the outboxes it was told of at once, what others have left behind when there is time."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stores = Stores()
        self._shipments: dict[str, Shipment] = {}  # by folder; the same one whenever a folder is opened again
        self._open: set[str] = set()
        self._handed_over: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._leftovers: dict[Destination, list[waiting.Entry]] = {}
        self._cleared: set[Destination] = set()

    def open(self, shipment: Shipment) -> None:
        self._shipments.setdefault(str(shipment.folder), shipment)
        self._open.add(str(shipment.folder))
        if shipment.destination not in self._leftovers:
            found = waiting.entries(shipment.destination.root)
            self._leftovers[shipment.destination] = [one for one in found if one.folder != shipment.folder]

    def finish(self, folder: str) -> bool:
        """Ship an outbox to its end now, whether that is done; one that fails is not looked at again either."""
        self._open.discard(folder)
        shipment = self._shipments[folder]
        here = shipment.destination.database is not None
        return self._attempt(shipment, "done", SECONDS_FOR_OTHERS_HERE if here else SECONDS_FOR_OTHERS)

    def finish_later(self, folder: str) -> None:
        """The same when there is time for it, and again where it fails: nobody waits."""
        if folder in self._shipments:  # else an earlier process was told of it: it is among what was left behind
            self._handed_over.put(folder)

    def look_after(self) -> None:
        """For ever, in the background: news of the open outboxes each second, then what was left behind."""
        with suppress(AttributeError, OSError):
            os.nice(NICE)  # of this thread, on Linux
        while True:
            time.sleep(SECONDS_BETWEEN)
            for shipment in [self._shipments[folder] for folder in sorted(self._open)]:
                if shipment.has_news() and not self._stores.rests(shipment.destination):
                    self._attempt(shipment, "progress")
            for folder in [self._handed_over.get() for _ in range(self._handed_over.qsize())]:
                rests = self._stores.rests(self._shipments[folder].destination)
                if rests or not self.finish(folder):
                    self._handed_over.put(folder)
            self.clear_up()

    def clear_up(self) -> None:
        """One outbox that somebody left behind, or, when there are no more, the runs whose process is gone."""
        for destination, entries in list(self._leftovers.items()):  # orders come in on another thread
            if self._stores.rests(destination):
                continue
            with suppress(Exception):  # a courtesy to other runs: this one does not depend on it
                if entries:
                    ship_leftover(entries.pop(0), self._stores, [destination])
                elif destination not in self._cleared:
                    with self._stores.use(destination) as store:
                        close_abandoned(store)
                    self._cleared.add(destination)

    def _attempt(self, shipment: Shipment, event: str, patience: float = 0.0) -> bool:
        answer: dict[str, Any] = {"folder": str(shipment.folder)}
        if parent := self._parent_of(shipment):
            self._attempt(parent, "progress")
        with shipment.turn:
            try:
                delivery = shipment.ship(self._stores, lambda: self._tell({**answer, "event": "progress"}), patience)
            except Timeout:
                if patience:  # without any there will be another attempt
                    self._tell({**answer, "event": "failed", "reason": "another process is shipping it"})
                return False
            except Exception as error:  # whatever a store's driver raises: there is no common base
                self._tell({**answer, "event": "failed", "reason": reason_of(error)})
                return False
        self._tell({**answer, "event": event, "run_id": delivery.run_id, "problem": delivery.problem})
        return True

    def _parent_of(self, shipment: Shipment) -> Shipment | None:
        """The run that it belongs to is stored first: its own would not know it."""
        reader = Reader(shipment.folder)
        if "run_id" in reader.state or not (first := reader.first()):
            return None
        return next((one for one in list(self._shipments.values()) if one.local_id == first.parent), None)


def ship_leftover(entry: waiting.Entry, stores: Stores, known: list[Destination]) -> str | None:
    """Ship what a process left behind, and close its run; why it still waits, or None where all has arrived."""
    if not entry.folder.is_dir():
        waiting.forget(entry.local_id, entry.destination.root)
        return None
    destination = entry.reachable_from(known)
    if destination is None:
        return "its address has a secret that is not kept; set MLFLOW_TRACKING_URI"
    if _is_held(entry.folder):
        return HELD
    shipment = Shipment(entry.local_id, entry.folder, destination)
    try:
        delivery = shipment.ship(stores, lambda: None)
        if _is_held(entry.folder):  # it was taken up again meanwhile
            return HELD
        delivery.close_abandoned()
        waiting.forget(entry.local_id, destination.root)
    except Timeout:
        return "another process is shipping it"
    except Exception as error:  # whatever a store's driver raises: there is no common base
        return reason_of(error)
    return None


def _is_held(folder: Path) -> bool:
    holder = Reader(folder).holder()
    return holder is not None and is_held(holder)


def main() -> None:
    """Serve the process that started this one, by number the only argument, until it ends."""
    lifeline.die_with_parent(int(sys.argv[1]))
    lifeline.end_quickly()
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    quiet_mlflow()
    import mlflow  # noqa: F401  now, while the parent has its own imports to do

    sync_seldom()
    _tell({"event": "ready"})
    shipping = Shipping(_tell)
    threading.Thread(target=shipping.look_after, daemon=True).start()
    for order in iter(lambda: _next(orders), END):
        if order["order"] == "open":
            root = Path(order["destination"]["root"])
            destination = Destination(**{**order["destination"], "root": root})
            shipping.open(Shipment(order["local_id"], Path(order["folder"]), destination))
        elif order["order"] == "later":
            shipping.finish_later(order["folder"])
        else:
            take_share(FAIR)  # somebody waits
            shipping.finish(order["folder"])


def _next(orders: "queue.SimpleQueue[dict[str, Any]]") -> dict[str, Any]:
    while True:
        try:
            return orders.get(timeout=SECONDS_BETWEEN)
        except queue.Empty:
            take_share(LITTLE)  # nobody waits any more


def take_share(niceness: int) -> None:
    """Of the processors, with all threads, where Linux shares them among sessions; anybody may go up and down again."""
    if os.getsid(0) == os.getpid() and AUTOGROUP.exists() and f"nice {niceness}\n" not in AUTOGROUP.read_text():
        for _ in range(TRIES):
            with suppress(OSError):
                AUTOGROUP.write_text(str(niceness))
                return
            time.sleep(SECONDS_BETWEEN_CHANGES)


def _listen(orders: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Orders of the parent; its end is ours, unless it asked for what is under way to be brought to an end."""
    seconds = SECONDS_TO_END
    for line in sys.stdin:
        order = json.loads(line)
        if order == LINGER:
            lifeline.outlive_parent()
            seconds = LONGEST_LINGER
        else:
            orders.put(order)
    orders.put(END)
    time.sleep(seconds)
    os._exit(0)  # a call that never returns must not keep us


def _tell(answer: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens any more
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
