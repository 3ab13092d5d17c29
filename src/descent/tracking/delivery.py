"""Records become calls of MLflow's client: as few as its limits allow. Runs in the shipper's thread."""

import json
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descent.tracking.records import Dataset, Files, Metrics, Model, Params, Record, Series, Status, Tags
from descent.tracking.store import IMPATIENT, Store, patience, reason_of

if TYPE_CHECKING:
    from mlflow.entities import Metric

METRICS_A_CALL = 1000
PAIRS_A_CALL = 100
LONGEST = {Params: 6000, Tags: 5000}  # tags: 8000 in SQLite, 5000 in what older servers take
LONGEST_KEY = 250
LONGEST_DIGEST = 36
BACK_OFF = 1.0  # seconds until the first retry; doubled by each that fails
LONGEST_BACK_OFF = 60.0
RETRIES_AT_END = 3
SECONDS_AT_END = 5.0
PAUSE_AT_END = 0.25
PASSING = (408, 429)  # answers that mean "later", not "no"

_NOT_IN_KEYS = re.compile(r"[^\w.\-/ :]", re.ASCII)


Step = tuple[Callable[[Sequence[Record]], None], list[Record]]


class Delivery:
    """Tells one MLflow run what the records say, and keeps what a store that is away could not be told.

    A batch becomes steps, one for each kind of call. A step that fails stays at the head of the line and is tried
    again later; sending points, params and tags twice changes nothing. Files and models leave the line when they
    fail, so that they hold up nobody, and get another chance at the end. `problem` is what was lost for good.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.problem: str | None = None
        self._store = store
        self._client = store.client
        self._run_id = run_id
        self._kinds: dict[Callable[[Sequence[Record]], None], tuple[type, ...]] = {
            self._pairs: (Params, Tags),
            self._points: (Metrics, Series),
            self._datasets: (Dataset,),
            self._files: (Files,),
            self._models: (Model,),
            self._status: (Status,),
        }
        self._line: deque[Step] = deque()
        self._set_aside: list[Step] = []
        self._created: dict[str, Any] = {}  # models that the store knows of but that are not complete, by folder
        self._failures = 0
        self._not_before = 0.0

    def deliver(self, batch: list[Record]) -> None:
        """Never raises: training goes on without its store, and the run says so at its end."""
        for call, kinds in self._kinds.items():
            if records := [record for record in batch if isinstance(record, kinds)]:
                self._line.append((call, records))
        self.retry()

    def retry(self) -> None:
        """Whatever waits, unless the store has failed a moment ago. Never raises."""
        if time.monotonic() >= self._not_before:
            self._advance()

    def close(self) -> None:
        """A few last tries, some seconds in all. Whatever fails before it, the status is tried. Never raises."""
        if not self._line and not self._set_aside:
            return
        deadline = time.monotonic() + SECONDS_AT_END
        with patience(IMPATIENT):
            for number in range(RETRIES_AT_END):
                if not self._line or time.monotonic() >= deadline:
                    break
                time.sleep(PAUSE_AT_END * 2**number)
                self._advance()
            self._finish_off(deadline)

    def _advance(self) -> None:
        while self._line:
            call, records = self._line[0]
            error = _fault_of(call, records)
            if error is None:
                self._failures = 0
            elif _is_refusal(error):
                self._note(error)
            elif call in (self._files, self._models):
                self._set_aside.append((call, records))
            else:
                self._failures += 1
                pause = min(LONGEST_BACK_OFF, BACK_OFF * 2 ** min(self._failures - 1, 10))
                self._not_before = time.monotonic() + pause
                return
            self._line.popleft()

    def _finish_off(self, deadline: float) -> None:
        """Each remaining step once, so that one which the store can never take does not cost those behind it."""
        steps = [*self._line, *self._set_aside]
        self._line.clear()
        self._set_aside.clear()
        for call, records in sorted(steps, key=lambda step: step[0] == self._status):
            if call != self._status and time.monotonic() >= deadline:
                self._note(TimeoutError("no time left at the end of the run"))
            elif error := _fault_of(call, records):
                self._note(error)

    def _note(self, error: Exception) -> None:
        self.problem = self.problem or reason_of(error)

    def _pairs(self, batch: Sequence[Record]) -> None:
        from mlflow.entities import Param, RunTag

        params = [Param(*pair) for pair in _merged(batch, Params)]
        tags = [RunTag(*pair) for pair in _merged(batch, Tags)]
        for start in range(0, max(len(params), len(tags)), PAIRS_A_CALL):
            stop = start + PAIRS_A_CALL
            self._client.log_batch(self._run_id, params=params[start:stop], tags=tags[start:stop])

    def _points(self, batch: Sequence[Record]) -> None:
        points: list[Metric] = []
        for record in batch:
            if isinstance(record, Metrics):
                points += _metrics(record)
            elif isinstance(record, Series):
                points += _series(record)
        for start in range(0, len(points), METRICS_A_CALL):
            self._client.log_batch(self._run_id, metrics=points[start : start + METRICS_A_CALL])

    def _datasets(self, batch: Sequence[Record]) -> None:
        inputs = [_dataset_input(record) for record in batch if isinstance(record, Dataset)]
        if inputs:
            self._client.log_inputs(self._run_id, inputs)

    def _files(self, batch: Sequence[Record]) -> None:
        folders = [Path(record.folder) for record in batch if isinstance(record, Files)]
        if not folders:
            return
        first, *others = folders
        for folder in others:
            shutil.copytree(folder, first, dirs_exist_ok=True, copy_function=shutil.move)
        self._client.log_artifacts(self._run_id, str(first))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _models(self, batch: Sequence[Record]) -> None:
        for record in batch:
            if isinstance(record, Model) and Path(record.folder).exists():  # not in an earlier try
                self._model(record)

    def _model(self, record: Model) -> None:
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model as Description

        logged = self._created.get(record.folder)
        if logged is None:
            logged = self._client.create_logged_model(self._store.experiment_id, record.name, self._run_id)
            self._created[record.folder] = logged
        description = Description.load(record.folder)
        description.model_id = description.model_uuid = logged.model_id
        description.run_id = self._run_id
        description.artifact_path = logged.artifact_location
        description.save(str(Path(record.folder) / "MLmodel"))
        self._client.log_model_artifacts(logged.model_id, record.folder)
        self._client.finalize_logged_model(logged.model_id, "READY")
        self._client.log_outputs(self._run_id, [LoggedModelOutput(logged.model_id, step=0)])
        shutil.rmtree(record.folder, ignore_errors=True)

    def _status(self, batch: Sequence[Record]) -> None:
        for record in batch:
            if isinstance(record, Status):
                self._client.set_terminated(self._run_id, record.status, record.timestamp)


def _fault_of(call: Callable[[Sequence[Record]], None], records: Sequence[Record]) -> Exception | None:
    try:
        call(records)
    except Exception as error:  # whatever a store's driver raises: there is no common base
        return error
    return None


def _is_refusal(error: Exception) -> bool:
    """The store answered and did not want this; the next may be welcome."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    code = int(error.get_http_status_code())  # type: ignore[no-untyped-call]
    return 400 <= code < 500 and code not in PASSING


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
