"""Reads what runs have recorded, through the store's own API, as plain values."""

import json
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descent.errors import DataError, DescentError
from descent.tracking.destination import Destination, deleted, lifecycle_of, reason_of, unusable
from descent.tracking.store import quiet_mlflow, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

PAGE = 250  # larger ones are no quicker and take more memory
PARENT = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as its store has it; `metrics` are the last values, `rows` how many samples an epoch trains on."""

    id: str
    name: str
    status: str
    started: int
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    rows: int | None

    @property
    def parent(self) -> str | None:
        return self.tags.get(PARENT)


class Archive:
    """An experiment of a store, opened to read; nothing is made where there is none."""

    def __init__(self, destination: Destination) -> None:
        """DataError in one line where there is nothing to read, EnvironmentFault where the store cannot be read."""
        self.shown = destination.shown
        try:
            self.client, self._experiment = _opened(destination)
        except DescentError:
            raise
        except Exception as error:  # whatever the driver of a store raises: there is no common base
            raise unusable(self.shown, reason_of(error)) from error

    def runs(self, params: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None) -> Iterator[Stored]:
        """Every run of the experiment whose params and tags are exactly these texts, the newest first."""
        given = {"params": params or {}, "tags": tags or {}}
        wanted = " AND ".join(
            f"{kind}.`{key}` = '{value}'" for kind, own in given.items() for key, value in own.items()
        )
        token: str | None = None
        while True:
            try:
                page = self.client.search_runs([self._experiment], wanted, max_results=PAGE, page_token=token)
            except Exception as error:  # as above
                raise unusable(self.shown, reason_of(error)) from error
            yield from map(_plain, page)
            token = page.token
            if not token:
                return

    def history(self, run: str, metric: str) -> list[tuple[int, float]]:
        """A metric's (step, value) in the order of steps, the last one told of each."""
        try:
            points = self.client.get_metric_history(run, metric)
        except Exception as error:  # as above
            raise unusable(self.shown, reason_of(error)) from error
        newest = {point.step: point.value for point in sorted(points, key=lambda point: point.timestamp)}
        return sorted(newest.items())


def can_be_asked(value: str) -> bool:
    """Whether a param's text is a plain word, so that the store can compare it by itself."""
    return value.replace("_", "").replace("-", "").isalpha() and value.lower() not in ("true", "false", "null", "none")


def _opened(destination: Destination) -> "tuple[MlflowClient, str]":
    nothing = DataError(f"runs: there are none in {destination.shown}, experiment {destination.experiment}, yet")
    database = destination.database
    if database is not None:
        try:
            lifecycle = lifecycle_of(database, destination.experiment)
        except (OSError, sqlite3.Error) as error:
            raise unusable(destination.shown, reason_of(error)) from None
        if lifecycle is None:
            raise nothing
    quiet_mlflow()
    from mlflow import MlflowClient

    client = MlflowClient(destination.uri if database is None else sqlite_uri(database))
    experiment = client.get_experiment_by_name(destination.experiment)
    if experiment is None:
        raise nothing
    if experiment.lifecycle_stage == "deleted":
        raise deleted(destination.experiment)
    return client, experiment.experiment_id


def _plain(run: "MlflowRun") -> Stored:
    """Texts that many runs have in common are kept once: ten thousand runs are a few hundred megabytes otherwise."""
    kept = sys.intern
    return Stored(
        run.info.run_id,
        run.info.run_name or "",
        run.info.status,
        run.info.start_time or 0,
        {kept(key): kept(value) for key, value in run.data.params.items()},
        {kept(key): kept(value) for key, value in run.data.tags.items()},
        {kept(key): value for key, value in run.data.metrics.items()},
        _rows(run),
    )


def _rows(run: "MlflowRun") -> int | None:
    inputs: list[Any] = list(run.inputs.dataset_inputs) if run.inputs else []
    for one in inputs:
        try:
            return int(json.loads(one.dataset.profile)["samples"]["train"])
        except (TypeError, ValueError, KeyError):
            continue
    return None
