"""A small search as a command of its own, and the runs that it has left in the store."""

from pathlib import Path

from reference import forked

PROJECT = Path(__file__).parents[2]
SMALL = ["dataset=synthetic", "dataset.samples=120", "epochs=3", "batch_size=24"]
TINY = ["dataset=synthetic", "dataset.samples=120", "epochs=3", "model.hidden=[8]", "batch_size=24"]
SEVERAL = ["-m", "lr=interval(0.1,0.2)", "objective=[val/accuracy,model/parameters]"]
SEARCH = ["-m", "search=tpe", "optimizer=sgd,adam", "n_trials=6", "workers=2", "name=found", *TINY]


def run(root, *words):
    return forked.train(root, words)


def runs_of(root):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    (experiment,) = [one for one in client.search_experiments() if one.name == "descent"]
    return client.search_runs([experiment.experiment_id], max_results=1000)
