"""The logged model answers as the module did: elsewhere, in another process, for any batch."""

import os
import subprocess
import sys
import warnings

import mlflow
import numpy as np
import pytest
import torch
from torch import nn

from descent.data.scaling import Scaling
from descent.models.lstm import LSTM
from descent.tracking.model import log_model, save_model
from descent.tracking.run import open_run
from descent.tracking.store import open_store


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def answers(module, inputs):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(inputs)).numpy()


@pytest.mark.parametrize(("module", "shape"), [(mlp(), (4,)), (cnn(), (1, 8, 8))])
def test_a_saved_model_answers_as_the_module(module, shape, tmp_path):
    save_model(module, np.ones((1, *shape), "float32"), tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    for batch in (1, 2, 7):
        inputs = np.random.default_rng(0).random((batch, *shape), dtype="float32")
        np.testing.assert_allclose(loaded.predict(inputs), answers(module, inputs), rtol=1e-5, atol=1e-6)


def test_a_model_of_words_takes_their_numbers(tmp_path):
    ids = torch.tensor([[2, 3, 4, 0], [5, 0, 0, 0], [1, 4, 3, 2]])
    module = nn.Sequential(Scaling(ids), LSTM((4,), 3, 8, tokens=6))
    save_model(module, ids[:1].numpy(), tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert [(column.type.name, column.shape) for column in loaded.metadata.signature.inputs] == [("int64", (-1, 4))]
    np.testing.assert_allclose(loaded.predict(ids.numpy()), answers(module, ids.numpy()), rtol=1e-5, atol=1e-6)


def test_the_module_is_left_as_it_was(tmp_path):
    module = mlp().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    save_model(module, np.ones((2, 4), "float32"), tmp_path / "model")
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_signature_example_and_requirements_are_there(tmp_path):
    save_model(mlp(), np.ones((5, 4), "float32"), tmp_path / "model")
    signature = mlflow.models.get_model_info(str(tmp_path / "model")).signature
    assert [spec.shape for spec in (*signature.inputs.inputs, *signature.outputs.inputs)] == [(-1, 4), (-1, 3)]
    assert (tmp_path / "model" / "input_example.json").exists()
    requirements = (tmp_path / "model" / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in requirements} == {"torch", "numpy", "mlflow"}
    assert not list((tmp_path / "model").rglob("*.pth")), "pickled where it could be traced"


def test_nothing_is_said(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_model(mlp(), np.ones((1, 4), "float32"), tmp_path / "model")
    assert capfd.readouterr() == ("", "")


def test_the_run_owns_the_model_and_mlflows_globals_are_untouched(local, tmp_path, monkeypatch):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/other.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # it also sets this, which a run respects
    try:
        with (
            open_run(local, tmp_path / "a", name="a", tags={}) as first,
            open_run(local, tmp_path / "b", name="b", tags={}) as second,
        ):
            log_model(first, mlp(), np.ones((1, 4), "float32"))
            log_model(second, cnn(), np.ones((1, 1, 8, 8), "float32"))
        assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path}/other.db"
        assert mlflow.active_run() is None
        assert not (tmp_path / "other.db").exists()
    finally:
        mlflow.set_tracking_uri(None)
    client = open_store(local).client
    for run in (first, second):
        (output,) = client.get_run(run.id).outputs.model_outputs
        model = client.get_logged_model(output.model_id)
        assert (model.name, model.source_run_id, str(model.status)) == ("model", run.id, "READY")


def test_a_run_that_was_extended_keeps_one_model_the_later_one(local, tmp_path):
    later, inputs = mlp(), np.random.default_rng(1).random((3, 4), dtype="float32")
    for module in (nn.Sequential(nn.Linear(4, 3)), later):
        with open_run(local, tmp_path / "run", name="a", tags={}, local_id="1" * 32) as run:
            log_model(run, module, inputs)
        assert run.problem is None
    client = open_store(local).client
    (output,) = client.get_run(run.id).outputs.model_outputs
    loaded = mlflow.pyfunc.load_model(client.get_logged_model(output.model_id).artifact_location)
    np.testing.assert_allclose(loaded.predict(inputs), answers(later, inputs), rtol=1e-5, atol=1e-6)


def test_another_process_elsewhere_loads_it_by_its_run(local, tmp_path):
    module, inputs = mlp(), np.random.default_rng(1).random((3, 4), dtype="float32")
    with open_run(local, tmp_path / "run", name="a", tags={}) as run:
        log_model(run, module, inputs)
    np.save(tmp_path / "inputs.npy", inputs)
    (tmp_path / "elsewhere").mkdir()
    code = f"""
import sys, numpy, mlflow
model = mlflow.pyfunc.load_model("runs:/{run.id}/model")
numpy.save("outputs.npy", model.predict(numpy.load("../inputs.npy")))
assert "descent" not in sys.modules
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["MLFLOW_TRACKING_URI"] = open_store(local).uri
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path / "elsewhere", env=environment)
    outputs = np.load(tmp_path / "elsewhere" / "outputs.npy")
    np.testing.assert_allclose(outputs, answers(module, inputs), rtol=1e-5, atol=1e-6)
