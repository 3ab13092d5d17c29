"""One training's record: what is logged here is queued, shipped in the background, and closed with a true status."""

import getpass
import math
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from descent.tracking import records
from descent.tracking.owners import owner_tags
from descent.tracking.secrets import mask, mask_file, mask_values
from descent.tracking.staging import Staging, copy_masked, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from descent.tracking.store import Destination, Store

Status = Literal["FINISHED", "FAILED", "KILLED"]

INTERRUPTED = {130, 143}  # exit codes of SIGINT and SIGTERM
LONGEST_REASON = 500
RESERVED = ("owner.", "mlflow.")  # tags that others read as the truth about the run, and `local_id`


class Run:
    """A run that nobody keeps, and the base of those that somebody does: these override `append` and `_stage`.

    All methods return at once; what they were given may be changed or deleted afterwards.
    """

    id: str | None = None
    where = "not tracked"
    problem: str | None = None
    """Why the stored record is incomplete, None where it is not; final once the run is finished."""

    def __init__(self, name: str) -> None:
        self.name = mask(name)
        self.local_id = uuid.uuid4().hex
        self._last_point = _now()

    def append(self, record: records.Record) -> None:
        """The one way out: everything that a run has to say passes here."""

    def params(self, mapping: Mapping[str, Any]) -> None:
        """Values that identify the run, by their configuration path. Once logged, a param does not change."""
        self.append(records.Params({key: _shown(value) for key, value in mask_values(mapping).items()}))

    def tags(self, mapping: Mapping[str, Any]) -> None:
        """Facts about the run; a later one replaces an earlier one of the same name."""
        shown = {key: _shown(value) for key, value in mask_values(mapping).items()}
        self.append(records.Tags(_without_reserved(shown)))

    def metrics(self, mapping: Mapping[str, float], step: int) -> None:
        """Numbers at one step; NaN and infinities are kept."""
        self._last_point = _now()
        self.append(records.Metrics({key: float(value) for key, value in mapping.items()}, int(step), self._last_point))

    def series(self, key: str, values: npt.ArrayLike, first_step: int) -> None:
        """One number for each of many consecutive steps, under `step/<key>`."""
        numbers = np.array(values, dtype=np.float64).reshape(-1)
        now = _now()
        if numbers.size:
            self.append(records.Series(f"step/{key}", numbers, int(first_step), min(self._last_point, now), now))
        self._last_point = now

    def artifact(self, path: str | Path, folder: str = "") -> None:
        """A file, or a folder with all that is in it. Secrets in text are masked."""
        source = Path(path)
        self._stage(str(Path(folder, source.name)), lambda target: copy_masked(source, target))

    def text(self, content: str, file: str) -> None:
        """Text as an artifact of that name, masked. Surrogate escapes become the bytes they stand for."""
        self._stage(file, lambda target: write_text(target, mask_file(content, file)))

    def figure(self, figure: "Figure", file: str) -> None:
        """A matplotlib figure; the file's suffix decides the format."""
        self._stage(file, lambda target: figure.savefig(target, dpi=150))

    def dataset(self, name: str, digest: str, context: str, source: str, profile: Mapping[str, Any]) -> None:
        """Which data the run has seen, and as what: context is training, validation, test."""
        self.append(records.Dataset(name, digest, context, mask(source), mask_values(profile)))

    def model(self, name: str, save: Callable[[Path], None]) -> None:
        """A model that `save` writes to the folder it is given, as an MLflow model."""

    def finish(self, status: Status, reason: str | None = None) -> None:
        """Everything has been handed over, or given up on, when this returns. Only the first call counts."""

    def _stage(self, file: str, write: Callable[[Path], Any]) -> None:
        """Keep what `write` puts at the path it is given, as the artifact `file`."""


class StoredRun(Run):
    """A run in an MLflow store."""

    def __init__(self, name: str, store: "Store", tags: Mapping[str, Any], parent: str | None) -> None:
        super().__init__(name)
        from descent.tracking.delivery import Delivery
        from descent.tracking.shipper import Shipper

        given = {key: _shown(value) for key, value in mask_values(tags).items()}
        self.id = _create(store, self.name, _without_reserved(given) | _system_tags(self.local_id, parent))
        self.where = f"{mask(store.uri)} run {self.id}"
        self._delivery = Delivery(store, self.id)
        self._shipper = Shipper(self._delivery.deliver, self._delivery.retry)
        self._staging = Staging()
        self._finishing = threading.Lock()

    def append(self, record: records.Record) -> None:
        self._shipper.append(record)

    def model(self, name: str, save: Callable[[Path], None]) -> None:
        self.append(records.Model(f"{self._staging.put('model', save)}/model", name))

    def finish(self, status: Status, reason: str | None = None) -> None:
        if not self._finishing.acquire(blocking=False):
            return
        if reason:
            self.tags({"status_reason": reason})
        self.append(records.Status(status, _now()))
        try:
            self._shipper.close()
            self._delivery.close()
        finally:
            self._staging.clear()
        self.problem = self._delivery.problem
        if self.problem:
            print(f"tracking: {self.where} is incomplete: {self.problem}", file=sys.stderr)

    def _stage(self, file: str, write: Callable[[Path], Any]) -> None:
        self.append(records.Files(self._staging.put(file, write)))


@contextmanager
def open_run(
    destination: "Destination", *, name: str, tags: Mapping[str, Any], parent: str | None = None
) -> Iterator[Run]:
    """A run that ends as its body does: FINISHED, FAILED with the tag `status_reason`, or KILLED when interrupted."""
    run = _opened(destination, name, tags, parent)
    try:
        yield run
    except BaseException as error:
        run.finish(_status_of(error), _reason(error))
        raise
    run.finish("FINISHED")


def _opened(destination: "Destination", name: str, tags: Mapping[str, Any], parent: str | None) -> Run:
    if destination.kind == "none":
        return Run(name)
    from descent.tracking.owners import close_abandoned
    from descent.tracking.store import open_store

    store = open_store(destination)
    run = StoredRun(name, store, tags, parent)
    with suppress(Exception):  # a courtesy to other runs: this one does not depend on it
        close_abandoned(store)
    return run


def _create(store: "Store", name: str, tags: dict[str, str]) -> str:
    from descent.errors import EnvironmentFault
    from descent.tracking.store import reason_of

    try:
        return str(store.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id)
    except Exception as error:  # whatever a store's driver raises: there is no common base
        shown = mask(store.uri)
        raise EnvironmentFault(f"tracking: {shown} takes no run: {reason_of(error)}; use tracking=none") from None


def _system_tags(local_id: str, parent: str | None) -> dict[str, str]:
    tags = {"local_id": local_id, "mlflow.source.name": mask(sys.argv[0] or "python"), "mlflow.source.type": "LOCAL"}
    tags["mlflow.user"] = _user()
    return tags | owner_tags() | ({"mlflow.parentRunId": parent} if parent else {})


def _without_reserved(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key != "local_id" and not key.startswith(RESERVED)}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without an entry in the password file
        return "unknown"


def _status_of(error: BaseException) -> Status:
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", None)
    if isinstance(error, KeyboardInterrupt) or code in INTERRUPTED:
        return "KILLED"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "FINISHED"
    return "FAILED"


def _reason(error: BaseException) -> str | None:
    if _status_of(error) == "FINISHED":
        return None
    message = " ".join(str(error).split())
    return mask(f"{type(error).__name__}: {message}".rstrip(": "))[:LONGEST_REASON]


def _shown(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))  # a NumPy scalar would say its type
    return str(value)


def _now() -> int:
    return time.time_ns() // 1_000_000
