"""MLflow's model registry: names, versions of them, and the alias of the one that is in use."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from descent.errors import EnvironmentFault, UsageError
from descent.rules import cut, near
from descent.tracking.destination import SECONDS_FOR_LOCK, Destination, reason_of, refuse_unusable, resolved
from descent.tracking.store import open_store

CHAMPION, ENCODING = "champion", "encoding.json"
ADDRESS = "MLFLOW_TRACKING_URI"
Predict = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True)
class Version:
    """A registered model, and the run that it is of."""

    name: str
    number: str
    run_id: str
    tags: dict[str, str]  # of its run
    params: dict[str, str]  # of its run


class Registry:
    """The registry beside a tracking store; EnvironmentFault in one line where it cannot be used."""

    def __init__(self, destination: Destination) -> None:
        if destination.kind == "none":
            raise UsageError("register: got tracking=none, allowed a run that is tracked; leave tracking=none out")
        there = resolved(destination)
        refuse_unusable(there)
        self._store = open_store(there)
        self._client = self._store.client
        self._lock = None if there.database is None else there.root.resolve() / "mlruns" / ".registry.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else on this machine adds or crowns meanwhile, where the registry is a local one."""
        if self._lock is None:
            yield
            return
        lock = FileLock(self._lock, timeout=SECONDS_FOR_LOCK)
        try:
            with lock:
                yield
        except Timeout:
            held = f"another registration has held {self._lock} for {SECONDS_FOR_LOCK} s"
            raise EnvironmentFault(cut(f"register: {held}; try again with evaluate.py", 200)) from None

    def add(self, name: str, run_id: str) -> Version:
        """The run's model under that name; the version that it has already, where it was added before."""
        with _told("register"):
            models = self._models_of(run_id)
            if not models:
                raise UsageError(
                    f"register: run {run_id[:8]} has no model in the store; train with tracking.model=true"
                )
            self._make_name(name)
            for known in self._versions(name):
                if known.run_id == run_id:
                    return self._described(known)
            with _by_default(self._store.uri):
                made = self._client.create_model_version(name, f"models:/{models[0]}", run_id, model_id=models[0])
            return self._described(made)

    def champion(self, name: str) -> Version | None:
        """The version that is in use; None where no version of that name is."""
        return self._by_alias(name, CHAMPION) if self._client.search_registered_models(f"name = '{name}'") else None

    def crown(self, version: Version) -> None:
        """From now on it is the champion."""
        with _told("register"):
            self._client.set_registered_model_alias(version.name, CHAMPION, version.number)

    def find(self, text: str) -> Version:
        """`name@alias` or `name/version`; UsageError says what there is instead."""
        with _told("model"):
            name, at, alias = text.partition("@")
            name, _, number = (name, "", "") if at else text.partition("/")
            every = sorted(one.name for one in self._client.search_registered_models())
            if name not in every:
                there = (
                    near(name, every) or f"there are {', '.join(every[:3])}" if every else "nothing is registered yet"
                )
                raise UsageError(cut(f"model: got {text}, allowed a registered name; {there}", 200))
            found = self._by_alias(name, alias) if at else self._by_number(name, number)
            if found is None:
                numbers = ", ".join(str(one.version) for one in self._versions(name))
                ways = f"{name}@{CHAMPION} or {name}/version of {numbers}"
                raise UsageError(cut(f"model: got {text}, allowed {ways}", 200))
            return found

    def encoding(self, version: Version) -> dict[str, Any] | None:
        """By what its run has turned a table into numbers; None where it has turned none."""
        with _told("register"), TemporaryDirectory() as folder:
            if not any(one.path == ENCODING for one in self._client.list_artifacts(version.run_id)):
                return None
            return dict(json.loads(Path(self._client.download_artifacts(version.run_id, ENCODING, folder)).read_text()))

    def predictor(self, version: Version) -> Predict:
        """The model itself, as anybody would load it."""
        import mlflow

        with _told("register"), TemporaryDirectory() as folder:
            there = self._client.get_model_version_download_uri(version.name, version.number)
            if there.startswith("models:/"):
                there = self._client.get_logged_model(there.removeprefix("models:/")).artifact_location
            path = mlflow.artifacts.download_artifacts(there, dst_path=folder, tracking_uri=self._store.uri)
            model = mlflow.pyfunc.load_model(path)
        return lambda inputs: np.asarray(model.predict(inputs))

    def _make_name(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        if self._client.search_registered_models(f"name = '{name}'"):
            return
        try:
            self._client.create_registered_model(name)
        except MlflowException:
            # Somebody else was quicker, or it is a fault that shows again now.
            if not self._client.search_registered_models(f"name = '{name}'"):
                raise

    def _models_of(self, run_id: str) -> list[str]:
        outputs = self._client.get_run(run_id).outputs
        return [one.model_id for one in outputs.model_outputs] if outputs else []

    def _versions(self, name: str) -> list[Any]:
        return sorted(self._client.search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))

    def _by_alias(self, name: str, alias: str) -> Version | None:
        aliases = self._client.get_registered_model(name).aliases
        return self._by_number(name, aliases[alias]) if alias in aliases else None

    def _by_number(self, name: str, number: str) -> Version | None:
        found = next((one for one in self._versions(name) if str(one.version) == str(number)), None)
        return found and self._described(found)

    def _described(self, version: Any) -> Version:
        data = self._client.get_run(version.run_id).data
        return Version(version.name, str(version.version), version.run_id, dict(data.tags), dict(data.params))


@contextmanager
def _by_default(uri: str) -> Iterator[None]:
    """What MLflow looks up under `models:/` it looks up in its default store, whichever client asks."""
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    before = os.environ.get(ADDRESS)
    try:
        with _use_tracking_uri(uri):
            yield
    finally:
        os.environ.pop(ADDRESS, None)
        if before is not None:
            os.environ[ADDRESS] = before


@contextmanager
def _told(key: str) -> Iterator[None]:
    """Whatever the registry's driver raises is one line."""
    try:
        yield
    except (UsageError, EnvironmentFault):
        raise
    except Exception as error:  # there is no common base
        raise EnvironmentFault(cut(f"{key}: the registry refuses: {reason_of(error)}", 200)) from error
