"""Ships by hand what runs have left behind, and says what still waits, and why."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descent.tracking import waiting
from descent.tracking.destination import Destination
from descent.tracking.outbox import Reader
from descent.tracking.shipping import Stores, ship_leftover
from descent.tracking.store import quiet_mlflow


@dataclass(frozen=True)
class Sent:
    """What became of one outbox; `waits` is why not all of it has arrived."""

    name: str
    local_id: str
    records: int
    where: str
    waits: str | None


def sync(root: Path) -> Iterator[Sent]:
    """One after another, the oldest first. A store that failed is not asked again for the next outbox."""
    quiet_mlflow()
    stores = Stores()
    known = [Destination("server", uri, "descent", root)] if (uri := os.environ.get("MLFLOW_TRACKING_URI")) else []
    failed: dict[Destination, str] = {}
    for entry in list(waiting.entries(root)):
        reader = Reader(entry.folder)
        first, behind = reader.first(), reader.behind()
        if entry.destination in failed:
            reason: str | None = failed[entry.destination]
        else:
            reason = ship_leftover(entry, stores, known)
            if reason and stores.rests(entry.destination):
                failed[entry.destination] = reason
        left = Reader(entry.folder).behind()
        yield Sent(first.name if first else "?", entry.local_id, behind - left, entry.destination.shown, reason)
