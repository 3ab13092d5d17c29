"""A store filled with runs whose figures are known, through MLflow's own client."""

import atexit
import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

from descent.tracking.destination import Destination
from descent.tracking.store import Store, open_store

PARAMS = {
    "optimizer": "adam",
    "optimizer.lr": "0.001",
    "lr": "0.001",
    "model": "mlp",
    "dataset": "digits",
    "dataset.val_fraction": "0.1",
    "dataset.split_seed": "0",
    "epochs": "20",
    "batch_size": "32",
    "accumulate": "1",
    "folds": "1",
    "objective": "val/accuracy",
    "seed": "0",
}


@cache
def _migrated() -> Path:
    """The root of an empty store; making one takes most of a second."""
    root = Path(mkdtemp())
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    opened(root).client._tracking_client.store.engine.dispose()
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return root


def stocked(root: Path) -> Path:
    """A root with a copy of that, for what is not about how a store is made."""
    shutil.copy(_migrated() / "mlflow.db", root / "mlflow.db")
    with closing(sqlite3.connect(root / "mlflow.db")) as connection, connection:
        move = "UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)"
        connection.execute(move, (_migrated().resolve().as_uri(), root.resolve().as_uri()))
    return root


def opened(root: Path) -> Store:
    return open_store(Destination("local", None, "descent", root))


def add(
    store: Store,
    metrics: Mapping[str, float],
    *,
    tags: Mapping[str, str] | None = None,
    status: str = "FINISHED",
    curve: Sequence[float] = (),
    name: str = "run",
    started: int = 1,
    **params: object,
) -> str:
    """A run; `curve` is its val/accuracy by epochs. `optimizer__lr` is the param `optimizer.lr`."""
    given = {key.replace("__", "."): str(value) for key, value in params.items()}
    if "lr" in given:
        given.setdefault("optimizer.lr", given["lr"])
    settings = {**PARAMS, **given}
    all_tags = {"dataset_sha256": f"of {settings['dataset']}", **(tags or {}), "mlflow.runName": name}
    run = store.client.create_run(store.experiment_id, start_time=started)
    points = [Metric(key, float(value), 1, 0) for key, value in metrics.items()]
    points += [Metric("val/accuracy", value, 1, epoch) for epoch, value in enumerate(curve)]
    store.client.log_batch(
        run.info.run_id,
        points,
        [Param(key, value) for key, value in settings.items()],
        [RunTag(key, value) for key, value in all_tags.items()],
    )
    profile = json.dumps({"samples": {"train": 1000}})
    store.client.log_inputs(
        run.info.run_id, [DatasetInput(Dataset("digits", "x" * 8, "local", "{}", None, profile), [])]
    )
    if status != "RUNNING":
        store.client.set_terminated(run.info.run_id, status)
    return str(run.info.run_id)
