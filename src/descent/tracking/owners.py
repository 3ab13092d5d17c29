"""Which process a run belongs to, and the end of runs whose process is gone: a killed one cannot close its own."""

import contextlib
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from descent.ownership import is_alive, this_process

if TYPE_CHECKING:
    from descent.tracking.records import Opened
    from descent.tracking.store import Store

HOST, PID, STARTED = "owner.host", "owner.pid", "owner.started"
GONE = "its process is gone"


def owner_tags() -> dict[str, str]:
    """This process, told apart from a later one of the same number by when it started."""
    owner = this_process()
    return {HOST: owner.host, PID: str(owner.pid), STARTED: f"{owner.started:.2f}"}


def close_abandoned(store: "Store") -> int:
    """Close as KILLED what is still RUNNING here without a live owner; how many were closed."""
    running = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{socket.gethostname()}'"
    found = store.client.search_runs([store.experiment_id], running)
    return sum(_closed(store, run.info.run_id) for run in found if not _is_alive(run.data.tags))


def _closed(store: "Store", run_id: str) -> bool:
    """Close a run that had no owner when it was found, unless it has been closed or taken up again meanwhile."""
    with contextlib.suppress(Exception):  # a courtesy to others
        run = store.client.get_run(run_id)
        if run.info.status == "RUNNING" and not _is_alive(run.data.tags):
            store.client.set_tag(run_id, "status_reason", GONE)
            store.client.set_terminated(run_id, "KILLED")
            return True
    return False


def is_held(opened: "Opened") -> bool:
    """Whether the process that opened a run may still be at it: alive here, or on a machine that we cannot ask."""
    return opened.tags.get(HOST) != socket.gethostname() or _is_alive(opened.tags)


def _is_alive(tags: Mapping[str, str]) -> bool:
    try:
        return is_alive(int(tags[PID]), float(tags[STARTED]))
    except (KeyError, ValueError):
        return False
