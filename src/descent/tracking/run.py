"""One training's record: on disk at once, shipped in the background, and closed with a true status."""

import getpass
import math
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from descent.tracking import records
from descent.tracking.describing import NOTE
from descent.tracking.masking import copy_masked, write_text
from descent.tracking.owners import owner_tags
from descent.tracking.secrets import mask, mask_file, mask_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from descent.tracking.destination import Destination
    from descent.tracking.outbox import Piece

Status = Literal["FINISHED", "FAILED", "KILLED"]

INTERRUPTED = {130, 143}  # exit codes of SIGINT and SIGTERM
LONGEST_REASON = 500
RESERVED = ("owner.", "mlflow.")  # tags that others read as the truth about the run, and `local_id`


class Run:
    """A run that nobody keeps, and the base of those that somebody does.

    All methods but `finish` return at once; what they were given may be changed or deleted afterwards.
    """

    problem: str | None = None
    """What the store refused, None where it took everything; final once the run is finished."""

    def __init__(self, name: str, local_id: str) -> None:
        self.name, self.local_id = mask(name), local_id
        self._last_point = _now()

    @property
    def id(self) -> str | None:
        """Of the stored run; None as long as no store knows it."""
        return None

    @property
    def where(self) -> str:
        """For people: where to look for it."""
        return "not tracked"

    @property
    def continues(self) -> bool:
        """Whether an earlier sitting has begun it."""
        return False

    def append(self, record: records.Record) -> None:
        """The one way out: everything that a run has to say passes here."""

    def params(self, mapping: Mapping[str, Any]) -> None:
        """Values that identify the run, by their configuration path. Once logged, a param does not change."""
        self.append(records.Params({key: _shown(value) for key, value in mask_values(mapping).items()}))

    def tags(self, mapping: Mapping[str, Any]) -> None:
        """Facts about the run; a later one replaces an earlier one of the same name."""
        shown = {key: _shown(value) for key, value in mask_values(mapping).items()}
        self.append(records.Tags(_without_reserved(shown)))

    def describe(self, markdown: str) -> None:
        """What the run's page in MLflow says of it; it replaces what was said before."""
        self.append(records.Tags({NOTE: mask(markdown)}))

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

    def artifact(self, path: str | Path, folder: str = "", *, masked: bool = False) -> None:
        """A file, or a folder with all that is in it. Secrets in text are masked, unless they have been already."""
        source = Path(path)
        copy = (shutil.copytree if source.is_dir() else shutil.copyfile) if masked else copy_masked
        self._stage(str(Path(folder, source.name)), lambda target: copy(source, target))

    def text(self, content: str, file: str) -> None:
        """Text as an artifact of that name, masked. Surrogate escapes become the bytes they stand for."""
        self._stage(file, lambda target: write_text(target, mask_file(content, file)))

    def figure(self, figure: "Figure", file: str) -> None:
        """A matplotlib figure; the file's suffix decides the format."""
        self._stage(file, lambda target: figure.savefig(target, dpi=150))

    @contextmanager
    def bundle(self) -> Iterator[None]:
        """The artifacts that the body gives travel together: each journey has its price."""
        yield

    def dataset(self, name: str, digest: str, context: str, source: str, profile: Mapping[str, Any]) -> None:
        """Which data the run has seen, and as what: context is training, validation, test."""
        self.append(records.Dataset(name, digest, context, mask(source), mask_values(profile)))

    def model(self, name: str, save: Callable[[Path], None]) -> None:
        """A model that `save` writes to the folder it is given, as an MLflow model."""

    def sync(self) -> None:
        """What was said so far outlives a loss of power."""

    def finish(self, status: Status, reason: str | None = None) -> None:
        """All that can be has been shipped when this returns; the rest waits on disk. Only the first call counts.

        In a process that ships through another one all of it has only been handed over.
        """

    def _stage(self, file: str, write: Callable[[Path], Any]) -> None:
        """Keep what `write` puts at the path it is given, as the artifact `file`."""


class StoredRun(Run):
    """A run that goes to an MLflow store, by way of an outbox in its directory."""

    def __init__(self, destination: "Destination", directory: Path, name: str, local_id: str) -> None:
        super().__init__(name, local_id)
        from descent.tracking import waiting
        from descent.tracking.courier import courier
        from descent.tracking.outbox import Writer

        self._destination, self._directory = destination, directory
        self._outbox, self._courier = Writer(directory), courier
        self._finishing = threading.Lock()
        self._bundle: Piece | None = None
        waiting.announce(local_id, self._outbox.folder, destination)

    @property
    def id(self) -> str | None:
        from descent.tracking.outbox import stored_id

        return stored_id(self._directory)

    @property
    def where(self) -> str:
        stored = self.id
        return f"{self._destination.shown} run {stored}" if stored else f"waits in {self._outbox.folder}"

    @property
    def continues(self) -> bool:
        return self._outbox.continues

    def open(self, tags: Mapping[str, Any], parent: str | None) -> None:
        """Begin a sitting: the first one creates the stored run, a later one goes on with it."""
        given = {key: _shown(value) for key, value in mask_values(tags).items()}
        all_tags = _without_reserved(given) | _system_tags(self.local_id)
        self.append(records.Opened(self.name, all_tags, parent, _now()))
        self._courier.open(self.local_id, self._outbox.folder, self._destination)

    def append(self, record: records.Record) -> None:
        self._outbox.append(record)

    def sync(self) -> None:
        self._outbox.sync()

    def model(self, name: str, save: Callable[[Path], None]) -> None:
        self.append(records.Model(self._outbox.put("model", save), name))

    def finish(self, status: Status, reason: str | None = None) -> None:
        if not self._finishing.acquire(blocking=False):
            return
        if reason:
            self.tags({"status_reason": reason})
        self.append(records.Status(status, _now()))
        self._outbox.close()
        if self._courier.through:
            self._courier.hand_over(self.local_id, self._outbox.folder, self._destination)
            return
        report = self._courier.finish(self.local_id, self._outbox.folder, self._destination)
        self.problem = report.problem
        if report.problem:
            print(f"tracking: {self.where} is incomplete: {report.problem}", file=sys.stderr)
        if report.away:
            place = self._destination.shown
            hint = "the next start or `make sync` ships what is left"
            print(f"tracking: {place}: {report.away}; {hint} in {self._outbox.folder}", file=sys.stderr)

    @contextmanager
    def bundle(self) -> Iterator[None]:
        assert self._bundle is None, "a bundle is not put into another"
        with self._outbox.piece() as self._bundle:
            number = self._bundle.number
            try:
                yield
            finally:
                self._bundle = None
        self.append(records.Files(number))

    def _stage(self, file: str, write: Callable[[Path], Any]) -> None:
        if self._bundle:
            self._bundle.add(file, write)
        else:
            self.append(records.Files(self._outbox.put(file, write)))


@contextmanager
def open_run(
    destination: "Destination",
    directory: Path,
    *,
    name: str,
    tags: Mapping[str, Any],
    local_id: str | None = None,
    parent: str | None = None,
) -> Iterator[Run]:
    """A run that ends as its body does: FINISHED, FAILED with the tag `status_reason`, or KILLED when interrupted.

    Where the directory has an outbox already the run in it is continued. `parent` is the local id of another run.
    """
    run = _opened(destination, directory, name, tags, local_id or uuid.uuid4().hex, parent)
    try:
        yield run
    except BaseException as error:
        run.finish(_status_of(error), _reason(error))
        raise
    run.finish("FINISHED")


def _opened(
    destination: "Destination", directory: Path, name: str, tags: Mapping[str, Any], local_id: str, parent: str | None
) -> Run:
    if destination.kind == "none":
        return Run(name, local_id)
    from descent.tracking.destination import refuse_unusable, resolved

    destination = resolved(destination)
    refuse_unusable(destination)
    run = StoredRun(destination, directory, name, local_id)
    run.open(tags, parent)
    return run


def _system_tags(local_id: str) -> dict[str, str]:
    tags = {"local_id": local_id, "mlflow.source.name": mask(sys.argv[0] or "python"), "mlflow.source.type": "LOCAL"}
    return tags | {"mlflow.user": _user()} | owner_tags()


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
