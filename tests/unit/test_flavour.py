"""A model that cannot be exported is kept as its configuration and its weights, and answers as the module did."""

import os
import subprocess
import sys

import mlflow
import numpy as np
import pytest
import torch
from torch import nn

from conftest import PROJECT
from descent import assembly, flavour
from descent.data.scaling import Scaling
from descent.models.lstm import LSTM
from descent.tasks.answering import answer
from descent.tracking.model import save_model

EVALUATE = PROJECT / "src" / "evaluate.py"
MINE = """
from torch import nn


class Branching(nn.Module):
    def __init__(self, input_shape, outputs, hidden):
        super().__init__()
        self.first, self.last = nn.Linear(input_shape[0], hidden), nn.Linear(hidden, outputs)

    def forward(self, x):
        x = self.first(x)
        return self.last(x) if x.sum() > 0 else self.last(-x)
"""
YAML = "_target_: planted_models.Branching\nhidden: 6\n"


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A model of the user's own, whose way depends on what it is given, so that no tracer follows it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "planted_models.py").write_text(MINE)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(YAML)
    monkeypatch.syspath_prepend(tmp_path / "mine")
    yield tmp_path
    sys.modules.pop("planted_models", None)


@pytest.mark.slow
def test_a_run_with_such_a_model_is_registered_and_evaluated_like_any_other(mine, run_here, monkeypatch):
    words = [
        "--config-dir",
        str(mine / "conf"),
        "model=mine",
        "dataset=breast_cancer",
        "epochs=2",
        "tracking.pictures=false",
    ]
    answer = run_here([*words, "register=mine", f"hydra.run.dir={mine}/runs/mine"])
    assert answer.code == 0 and answer.err == "", answer.err
    client = mlflow.MlflowClient(f"sqlite:///{mine}/mlflow.db")
    version = client.get_model_version_by_alias("mine", "champion")
    folder = client.get_logged_model(version.source.removeprefix("models:/")).artifact_location.removeprefix("file://")
    inputs = np.random.default_rng(0).normal(15, 9, (7, 30)).astype("float32")
    np.save(mine / "new.npy", inputs)
    predicted = run_here(["model=mine@champion", f"predict={mine}/new.npy"], EVALUATE)
    assert predicted.code == 0, predicted.err
    expected = np.genfromtxt(mine / "predictions.csv", delimiter=",", skip_header=1, usecols=(2, 3))
    loaded = mlflow.pyfunc.load_model(folder)
    assert loaded.metadata.flavors["python_function"]["loader_module"] == "descent.flavour"
    for rows in (7, 1):
        np.testing.assert_allclose(loaded.predict(inputs[:rows]), expected[:rows], atol=1e-6)
    again = run_here([*words, "seed=1", "register=mine", f"hydra.run.dir={mine}/runs/again"])
    assert "over version 1 on 57 test samples" in again.out
    code = f"import mlflow, numpy; print(mlflow.pyfunc.load_model({folder!r}).predict(numpy.load('new.npy')).tolist())"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", code], cwd=mine, env=env, capture_output=True, text=True, timeout=120
    )
    assert elsewhere.returncode == 0, elsewhere.stderr
    np.testing.assert_allclose(eval(elsewhere.stdout), expected, atol=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ("model=mlp", "model.hidden=[8]", "regularization=[weight_norm,dropout]"),
        ("model=cnn", "model.filters=4", "precision=64"),
        ("model=lstm", "model.hidden=4", "loss=bce", "dataset=breast_cancer"),
        ("model=linear", "dataset=diabetes", "dataset.scaling=unit"),
    ],
)
def test_what_is_kept_is_built_again(words, composed, tmp_path):
    config = composed(*words)
    data = assembly.load(config)
    engine = assembly.assemble(config, data).engine
    engine = engine.double() if config.precision == "64" else engine
    engine.scaling.mean.add_(0.5)
    network = nn.Sequential(engine.scaling, engine.model, answer(data.task)).eval()
    flavour.write(network, flavour.recipe(config, data, engine.recipe.loss), tmp_path / "kept")
    inputs = data.train.inputs[:5]
    with torch.inference_mode():
        expected = network(inputs).numpy()
    np.testing.assert_allclose(
        flavour._load_pyfunc(str(tmp_path / "kept")).predict(inputs.numpy()), expected, atol=1e-6
    )


def test_words_read_both_ways_are_kept_too(tmp_path):
    """torch cannot export this one of ours."""
    ids = torch.tensor([[2, 3, 4, 0], [5, 0, 0, 0], [1, 4, 3, 2]])
    how = {"hidden": 8, "bidirectional": True}
    made_from = {"model": {"_target_": "descent.models.lstm.LSTM", **how}, "methods": [], "network_outputs": 3}
    made_from |= {"described": {"input_shape": (4,), "tokens": 6}, "classes": 3, "task": "regression", "tokens": True}
    module = nn.Sequential(Scaling(ids), LSTM((4,), 3, tokens=6, **how), nn.Identity()).eval()
    save_model(module, ids[:1].numpy(), tmp_path / "model", flavour.rebuilding(made_from))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert not list((tmp_path / "model").rglob("*.pt2"))
    with torch.inference_mode():
        np.testing.assert_allclose(loaded.predict(ids.numpy()), module(ids).numpy(), atol=1e-6)


def test_without_a_way_to_build_it_again_the_fault_is_the_tracer_s(tmp_path):
    class Branching(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else super().forward(-x)

    with pytest.raises(Exception, match="data-dependent"):
        save_model(Branching(4, 2), np.ones((1, 4), "float32"), tmp_path / "model")
