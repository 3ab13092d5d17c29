"""A small search as a command of its own, and the runs that it has left in the store."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SMALL = ["dataset=synthetic", "dataset.samples=120", "epochs=3", "batch_size=24"]
TINY = ["dataset=synthetic", "dataset.samples=120", "epochs=3", "model.hidden=[8]", "batch_size=24"]
SEVERAL = ["-m", "lr=interval(0.1,0.2)", "objective=[val/accuracy,model/parameters]"]
SEARCH = ["-m", "search=tpe", "optimizer=sgd,adam", "n_trials=6", "workers=2", "name=found", *TINY]


def run(root, *words):
    command = [sys.executable, str(PROJECT / "src" / "train.py"), *words]
    env = {**os.environ, "DESCENT_ROOT": str(root)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300)


def runs_of(root):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    (experiment,) = [one for one in client.search_experiments() if one.name == "descent"]
    return client.search_runs([experiment.experiment_id], max_results=1000)
