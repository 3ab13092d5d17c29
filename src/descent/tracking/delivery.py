"""Records become calls of MLflow's client: as few as its limits allow. Runs in the shipper's thread."""

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descent.tracking.records import Dataset, Files, Metrics, Model, Params, Record, Series, Status, Tags
from descent.tracking.store import Store, reason_of

if TYPE_CHECKING:
    from mlflow.entities import Metric

METRICS_A_CALL = 1000
PAIRS_A_CALL = 100
LONGEST = {Params: 6000, Tags: 5000}  # tags: 8000 in SQLite, 5000 in what older servers take
LONGEST_KEY = 250
LONGEST_DIGEST = 36
_NOT_IN_KEYS = re.compile(r"[^\w.\-/ :]", re.ASCII)


class Delivery:
    """Tells one MLflow run what the records say. A store that is away is left alone: each call would wait."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.problem: str | None = None
        self._away = False
        self._store = store
        self._client = store.client
        self._run_id = run_id

    def deliver(self, batch: list[Record]) -> None:
        """Never raises: training goes on without its store, and the run says so at its end."""
        for part in (self._pairs, self._points, self._datasets, self._files, self._models, self._status):
            if self._away:
                return
            try:
                part(batch)
            except Exception as error:  # whatever a store's driver raises: there is no common base
                self.problem = self.problem or reason_of(error)
                self._away = not _is_refusal(error)

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
            if isinstance(record, Model):
                self._model(record)

    def _model(self, record: Model) -> None:
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model as Description

        logged = self._client.create_logged_model(self._store.experiment_id, record.name, self._run_id)
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


def _is_refusal(error: Exception) -> bool:
    """The store answered and did not want this; the next may be welcome."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and 400 <= int(error.get_http_status_code()) < 500  # type: ignore[no-untyped-call]


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
