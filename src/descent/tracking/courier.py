"""This process's link to the one that ships its outboxes: started once, told of every run, waited for at its end."""

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import descent
from descent.tracking import waiting
from descent.tracking.destination import Destination

PATIENCE = 2.0  # seconds without a sign of life from a server, at the end of a run
LOCAL_PATIENCE = 60.0  # for a file on this machine: somebody may hold its lock, or it is being made
BOOT_PATIENCE = 120.0  # for our own imports, on a cold disk
SECONDS_TO_END = 2.0
SILENCE = "no answer yet"
PROGRAM = "from descent.tracking.shipping import main; main()"
Order = dict[str, Any]


@dataclass
class Report:
    """What is known of an outbox's shipment."""

    run_id: str | None = None
    problem: str | None = None  # what the store refused, and why
    away: str | None = None  # why not everything has arrived
    done: bool = False


@dataclass
class _Child:
    process: "subprocess.Popen[str]"
    ready: bool = False
    reports: dict[str, Report] = field(default_factory=dict)
    signs: int = 0  # of life
    news: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self.news:
                with suppress(ValueError, KeyError, TypeError):  # whatever else a library has printed there
                    self._take(json.loads(line))
                self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def _take(self, answer: dict[str, Any]) -> None:
        self.signs += 1
        if answer["event"] == "ready":
            self.ready = True
            return
        report = self.reports.setdefault(answer["folder"], Report())
        if answer["event"] == "failed":
            report.away = answer["reason"]
            self.signs -= 1
        else:
            report.away = None
            report.run_id = answer.get("run_id", report.run_id)
            report.problem = answer.get("problem", report.problem)
            report.done = report.done or answer["event"] == "done"

    def order(self, **order: Any) -> bool:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except OSError:
            return False
        return True


class Courier:
    """Nothing here waits but `finish`, and that not long for a store that does not answer."""

    through: Callable[[Order], None] | None = None  # who has orders carried out, at the end of a run too

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._pid = 0

    def start(self) -> None:
        """Start the process that ships, where there is none; it has imports of its own to do meanwhile."""
        if self._pid == os.getpid() and self._child and self._child.process.poll() is None:
            return
        source = str(Path(descent.__file__).parents[1])
        paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, str(os.getpid())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("DESCENT_DEBUG") == "1" else subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: what was said until then is still to be shipped
        )
        self._child, self._pid = _Child(process), os.getpid()
        threading.Thread(target=self._child.listen, name="descent-courier", daemon=True).start()
        atexit.register(_end, self._child, os.getpid())

    def open(self, local_id: str, folder: Path, destination: Destination) -> None:
        """From now on what is said there is shipped about once a second."""
        place = {**asdict(destination), "root": str(destination.root)}
        self.give({"order": "open", "local_id": local_id, "folder": str(folder), "destination": place})

    def give(self, order: Order) -> None:
        """To our own child, unless another process has it carried out."""
        if self.through:
            self.through(order)
            return
        self.start()
        assert self._child
        self._child.order(**order)

    def hand_over(self, local_id: str, folder: Path, destination: Destination) -> None:
        """Have what is left shipped while something else is done; what does not arrive waits."""
        self.open(local_id, folder, destination)
        self.give({"order": "later", "folder": str(folder)})

    def finish_under(self, directory: Path, destination: Destination) -> str | None:
        """Ship what other processes have handed over and left; why something still waits, where anything does."""
        place = directory.resolve()
        for entry in list(waiting.entries(destination.root)):
            if place in entry.folder.parent.parents:
                report = self.finish(entry.local_id, entry.folder, destination)
                if report.away:
                    return report.away
        return None

    def finish(self, local_id: str, folder: Path, destination: Destination) -> Report:
        """Ship what is left. Comes back early where the store is away: then the rest waits for the next start."""
        self.open(local_id, folder, destination)
        child = self._child
        assert child
        patience = LOCAL_PATIENCE if destination.database else PATIENCE
        with child.news:
            report = child.reports.setdefault(str(folder), Report())
            before, report.away, report.done = report.away, None, False
            signs, last = child.signs, time.monotonic()
            child.order(order="finish", folder=str(folder))
            while not (report.done or report.away or child.process.poll() is not None):
                limit = patience if child.ready else BOOT_PATIENCE
                if not child.news.wait(min(0.5, limit)) and time.monotonic() - last > limit:
                    break
                if child.signs != signs:
                    signs, last = child.signs, time.monotonic()
        if not report.done:
            report.away = report.away or before or SILENCE
        return report


def _end(child: _Child, pid: int) -> None:
    """At the end of this process: what is under way may end alone, what is not is over with us."""
    if os.getpid() != pid:
        return
    lingers = any(report.away == SILENCE for report in child.reports.values())
    if lingers:
        child.order(order="linger")
    with suppress(OSError):
        assert child.process.stdin
        child.process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(0 if lingers else SECONDS_TO_END)


courier = Courier()
