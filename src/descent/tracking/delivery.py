"""An outbox's records become calls of MLflow's client: as few as its limits allow, and each safe to repeat."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descent.tracking.describing import NOTE, SELF
from descent.tracking.destination import reason_of
from descent.tracking.outbox import LANES, Reader
from descent.tracking.owners import GONE
from descent.tracking.records import (
    Dataset,
    Files,
    Metrics,
    Model,
    Opened,
    Params,
    Record,
    Series,
    Status,
    Tags,
    points,
)
from descent.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Metric

POINTS_A_BATCH = 1000
RECORDS_A_BATCH = 500
METRICS_A_CALL = 1000
PAIRS_A_CALL = 100
LONGEST = {Params: 6000, Tags: 5000}  # tags: 8000 in SQLite, 5000 in what older servers take
LONGEST_KEY = 250
LONGEST_DIGEST = 36
PASSING = (408, 429)  # answers that mean "later", not "no"
PARENT = "mlflow.parentRunId"

_NOT_IN_KEYS = re.compile(r"[^\w.\-/ :]", re.ASCII)
Batch = Sequence[Record]


class Delivery:
    """Tells a store what one outbox holds, from where the last delivery of it stopped."""

    def __init__(self, reader: Reader, store: Store, is_waiting: Callable[[str], bool] = lambda _: False) -> None:
        """`is_waiting` tells of a local id whether that run is still to come."""
        self._reader, self._store, self._is_waiting = reader, store, is_waiting
        self._client = store.client
        self._calls: dict[Callable[[Batch], None], tuple[type, ...]] = {
            self._opened: (Opened,),
            self._values: (Params, Tags, Metrics, Series),
            self._datasets: (Dataset,),
            self._files: (Files,),
            self._models: (Model,),
            self._status: (Status,),
        }

    @property
    def run_id(self) -> str | None:
        found = self._reader.state.get("run_id")
        return None if found is None else str(found)

    @property
    def problem(self) -> str | None:
        """What the store will never take, and why; None where it took everything."""
        found = self._reader.state.get("problem")
        return None if found is None else str(found)

    @property
    def is_complete(self) -> bool:
        """Whether all that has been said by now is in the store."""
        size = self._reader.size()
        return all(self._offset(lane) == size for lane in LANES)

    @property
    def is_closed(self) -> bool:
        """Whether the store knows how the run's last sitting ended."""
        return bool(self._reader.state.get("closed"))

    def ship(self) -> Iterator[None]:
        """Everything that waits, one batch at a time. Raises what the store's driver raises when it is away."""
        for lane in LANES:
            while batch := self._batch(lane):
                records, offset = batch
                self._deliver(records)
                self._keep(**{lane: offset})
                yield

    def close_abandoned(self) -> None:
        """The end of a run whose process is gone: a killed one cannot say it."""
        if self.run_id and not self.is_closed:
            self._client.set_tag(self.run_id, "status_reason", GONE)
            self._client.set_terminated(self.run_id, "KILLED")
            self._delete_doubles()
            self._keep(closed=True)

    def _keep(self, **changes: Any) -> None:
        """Remember what the store has taken, once it is safe there: after a loss of power it is not told again."""
        self._store.settle()
        self._reader.keep(**changes)

    def _offset(self, lane: str) -> int:
        return int(self._reader.state.get(lane, 0))

    def _batch(self, lane: str) -> tuple[list[Record], int] | None:
        """The lane's next records, of at most so many points that one call takes them, and where they end."""
        found: list[Record] = []
        start = offset = self._offset(lane)
        total = 0
        for record, end in self._reader.since(start, *LANES[lane]):
            if record == "damaged":
                self._note("a record is damaged")
            elif not isinstance(record, str):
                starts_anew = isinstance(record, Opened) or any(isinstance(one, Status) for one in found)
                if found and (starts_anew or total + points(record) > POINTS_A_BATCH or len(found) == RECORDS_A_BATCH):
                    break
                found.append(record)
                total += points(record)
            offset = end
        return (found, offset) if offset > start else None

    def _deliver(self, batch: Batch) -> None:
        for call, kinds in self._calls.items():
            records = [record for record in batch if isinstance(record, kinds)]
            if records and (refusal := _refusal(partial(call, records))):
                self._note(refusal)

    def _note(self, problem: str) -> None:
        self._reader.keep(problem=self.problem or problem)

    def _opened(self, batch: Batch) -> None:
        for record in batch:
            assert isinstance(record, Opened)
            if self.run_id is None:
                self._reader.state.update(run_id=self._found_or_created(record), closed=False)
                continue  # kept with the batch: a run that was forgotten is found again
            # Its owner first: running under the name of the last one, who is gone, somebody would close it.
            self._log_many("tags", self._tags(record.tags))
            self._client.update_run(self.run_id, "RUNNING")
            self._reader.state.update(closed=False)

    def _found_or_created(self, record: Opened) -> str:
        """A creation whose answer was lost may have been made all the same: look before asking for it."""
        if found := self._runs_of(record.tags["local_id"]):
            return found[0]
        tags = dict(record.tags)
        if record.parent:
            tags |= self._parent_tag(record.parent)
        self._reader.keep(creations=self._creations + 1)
        run = self._client.create_run(
            self._store.experiment_id, start_time=record.timestamp, tags=tags, run_name=record.name
        )
        return str(run.info.run_id)

    def _parent_tag(self, local_id: str) -> dict[str, str]:
        known = self._store.parents
        if local_id not in known and (found := self._runs_of(local_id)):
            known[local_id] = found[0]
        if local_id in known:
            return {PARENT: known[local_id]}
        if self._is_waiting(local_id):
            raise LookupError("the run that it belongs to is not stored yet")
        return {}

    @property
    def _creations(self) -> int:
        return int(self._reader.state.get("creations", 0))

    def _delete_doubles(self) -> None:
        """A creation that was given up on may be answered late, by a run that nobody knows."""
        first = self._reader.first()
        if first and self._creations > 1:
            for run in self._runs_of(first.tags["local_id"]):
                if run != self.run_id:
                    self._client.delete_run(run)

    def _runs_of(self, local_id: str) -> list[str]:
        query = f"tags.local_id = '{local_id}'"
        runs = self._client.search_runs(
            [self._store.experiment_id], query, order_by=["attributes.start_time ASC", "attributes.run_id ASC"]
        )
        return [str(run.info.run_id) for run in runs]

    def _values(self, batch: Batch) -> None:
        """In one call where it takes them all; where that is refused, or takes several, each kind for itself."""
        from mlflow.entities import Param

        params = [Param(*pair) for pair in _merged(batch, Params)]
        kinds = {"params": params, "tags": self._tags(dict(_merged(batch, Tags))), "metrics": _points(batch)}
        fits = max(len(params), len(kinds["tags"])) <= PAIRS_A_CALL and sum(map(len, kinds.values())) <= METRICS_A_CALL
        if not any(kinds.values()) or (fits and not _refusal(partial(self._log, **kinds))):
            return
        for kind, found in kinds.items():
            if refusal := _refusal(partial(self._log_many, kind, found)):
                self._note(refusal)

    def _log_many(self, kind: str, found: Sequence[Any]) -> None:
        most = METRICS_A_CALL if kind == "metrics" else PAIRS_A_CALL
        for start in range(0, len(found), most):
            self._log(**{kind: found[start : start + most]})

    def _log(self, **kinds: Any) -> None:
        self._client.log_batch(self._id(), **kinds)

    def _tags(self, values: dict[str, str]) -> list[Any]:
        from mlflow.entities import RunTag

        own = {NOTE: values[NOTE].replace(SELF, self._id())} if NOTE in values else {}
        return [RunTag(key, value) for key, value in {**values, **own}.items()]

    def _datasets(self, batch: Batch) -> None:
        inputs = [_dataset_input(record) for record in batch if isinstance(record, Dataset)]
        self._client.log_inputs(self._id(), inputs)

    def _files(self, batch: Batch) -> None:
        """In one call, as one tree of links: what waits stays as it is until the store has it."""
        folders = [self._reader.path(record.folder) for record in batch if isinstance(record, Files)]
        waiting = [folder for folder in folders if folder.exists()]  # the others went in an earlier try
        if not waiting:
            return
        with tempfile.TemporaryDirectory(dir=waiting[0].parent, suffix=".part") as tree:
            for folder in waiting:
                shutil.copytree(folder, tree, dirs_exist_ok=True, copy_function=_link)
            self._client.log_artifacts(self._id(), tree)
        for folder in waiting:
            shutil.rmtree(folder, ignore_errors=True)

    def _models(self, batch: Batch) -> None:
        for record in batch:
            if isinstance(record, Model) and self._reader.path(record.folder).exists():
                self._model(record)

    def _model(self, record: Model) -> None:
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model as Description

        folder = self._reader.path(record.folder) / "model"
        logged = self._model_entity(record.name)
        description = Description.load(str(folder))
        description.model_id = description.model_uuid = logged.model_id
        description.run_id = self.run_id
        description.artifact_path = logged.artifact_location
        description.save(str(folder / "MLmodel"))
        self._client.log_model_artifacts(logged.model_id, str(folder))
        self._client.finalize_logged_model(logged.model_id, "READY")
        known = self._client.get_run(self._id()).outputs
        models = {one.model_id for one in known.model_outputs} if known else set()
        if logged.model_id not in models:  # SQL stores take it once
            self._client.log_outputs(self._id(), [LoggedModelOutput(logged.model_id, step=0)])
        shutil.rmtree(folder.parent, ignore_errors=True)

    def _model_entity(self, name: str) -> Any:
        """Looked up before it is asked for, as runs are."""
        query = f"source_run_id = '{self.run_id}' AND name = '{name}'"
        found = self._client.search_logged_models([self._store.experiment_id], query)
        return found[0] if found else self._client.create_logged_model(self._store.experiment_id, name, self.run_id)

    def _status(self, batch: Batch) -> None:
        for record in batch:
            if isinstance(record, Status):
                self._client.set_terminated(self._id(), record.status, record.timestamp)
                self._delete_doubles()
                self._reader.state.update(closed=True)

    def _id(self) -> str:
        assert self.run_id is not None, "a log begins with Opened"
        return self.run_id


def _refusal(call: Callable[[], None]) -> str | None:
    """Why the store did not want it, None where it took it. Raises what the store's driver raises when it is away."""
    try:
        call()
    except Exception as error:  # there is no common base
        if not _is_refusal(error):
            raise
        return reason_of(error)
    return None


def _is_refusal(error: Exception) -> bool:
    """The store answered and did not want this; the next may be welcome."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    code = int(error.get_http_status_code())  # type: ignore[no-untyped-call]
    return 400 <= code < 500 and code not in PASSING


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)  # a later file of the same name replaces an earlier one
    try:
        Path(target).hardlink_to(source)
    except OSError:  # not every file system has links
        shutil.copyfile(source, target)


def _cut(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def _merged(batch: Iterable[Record], kind: type[Params] | type[Tags]) -> list[tuple[str, str]]:
    merged: dict[str, str] = {}
    for record in batch:
        if isinstance(record, kind):
            merged.update(record.values)
    return [(_key(key), _cut(value, LONGEST[kind])) for key, value in merged.items()]


def _key(key: str) -> str:
    return _NOT_IN_KEYS.sub("_", key)[:LONGEST_KEY]


def _points(batch: Batch) -> "list[Metric]":
    told: list[Metric] = []
    for record in batch:
        if isinstance(record, Metrics):
            told += _metrics(record)
        elif isinstance(record, Series):
            told += _series(record)
    return told


def _metrics(record: Metrics) -> "list[Metric]":
    from mlflow.entities import Metric

    return [Metric(_key(key), value, record.timestamp, record.step) for key, value in record.values.items()]


def _series(record: Series) -> "list[Metric]":
    from mlflow.entities import Metric

    times = np.linspace(record.started, record.ended, len(record.values)).astype(np.int64).tolist()
    values = record.values.tolist()
    key = _key(record.key)
    steps = range(record.first_step, record.first_step + len(values))
    return [Metric(key, value, time, step) for value, time, step in zip(values, times, steps, strict=True)]


def _dataset_input(record: Dataset) -> Any:
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    profile = json.dumps({**record.profile, "digest": record.digest}, default=str)
    source = json.dumps({"uri": record.source})
    entity = Entity(record.name, record.digest[:LONGEST_DIGEST], "local", source, schema=None, profile=profile)
    return DatasetInput(entity, [InputTag("mlflow.data.context", record.context)])
