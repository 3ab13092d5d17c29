"""Which process a run belongs to, and the end of runs whose process is gone: a killed one cannot close its own."""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from descent.tracking.records import Opened
    from descent.tracking.store import Store

HOST, PID, STARTED = "owner.host", "owner.pid", "owner.started"
GONE = "its process is gone"
CLOCK_STEP = 1.0  # seconds by which the system's clock may have been set since


def owner_tags() -> dict[str, str]:
    """This process, told apart from a later one of the same number by when it started."""
    pid = os.getpid()
    return {HOST: socket.gethostname(), PID: str(pid), STARTED: f"{psutil.Process(pid).create_time():.2f}"}


def close_abandoned(store: "Store") -> int:
    """Close as KILLED what is still RUNNING here without a live owner; how many there were."""
    running = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{socket.gethostname()}'"
    abandoned = [
        run for run in store.client.search_runs([store.experiment_id], running) if not _is_alive(run.data.tags)
    ]
    for run in abandoned:
        # Two starts at once may both see it: the second changes nothing.
        with contextlib.suppress(Exception):
            store.client.set_tag(run.info.run_id, "status_reason", GONE)
            store.client.set_terminated(run.info.run_id, "KILLED")
    return len(abandoned)


def is_held(opened: "Opened") -> bool:
    """Whether the process that opened a run may still be at it: alive here, or on a machine that we cannot ask."""
    return opened.tags.get(HOST) != socket.gethostname() or _is_alive(opened.tags)


def _is_alive(tags: Mapping[str, str]) -> bool:
    try:
        process = psutil.Process(int(tags[PID]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - float(tags[STARTED])) <= CLOCK_STEP)
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False
