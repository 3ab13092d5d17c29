"""Gradients and activations of a model so small that NumPy can tell them."""

import numpy as np
import pytest
import torch

from descent.layer_statistics import LayerStatistics, is_sparse_epoch
from reference.trained import TABLE, trained


def tiny():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Dropout(0.9), torch.nn.Linear(3, 1))
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, {0}), (2, {0, 1}), (8, {0, 1, 2, 4, 7}), (20, {0, 1, 2, 4, 8, 16, 19}), (33, {0, 1, 2, 4, 8, 16, 32})],
)
def test_sparse_epochs(epochs, expected):
    assert {epoch for epoch in range(epochs) if is_sparse_epoch(epoch, epochs)} == expected


def test_gradients_and_weights_are_numpys_norms():
    model, statistics = tiny(), LayerStatistics()
    model(torch.randn(5, 2)).sum().backward()
    model[3].bias.grad = None
    statistics.gradients(4, model)
    assert [row["parameter"] for row in statistics.rows] == ["0.weight", "0.bias", "3.weight"]
    for row, parameter in zip(statistics.rows, model.parameters(), strict=False):
        assert row["epoch"] == 4
        assert row["gradient_norm"] == pytest.approx(np.linalg.norm(parameter.grad), rel=1e-6)
        assert row["weight_norm"] == pytest.approx(np.linalg.norm(parameter.detach()), rel=1e-6)


def test_activations_are_numpys():
    model, statistics, probe = tiny().train(), LayerStatistics(), torch.randn(64, 2)
    statistics.activations(2, model, probe)
    weight, bias, last, offset = (parameter.detach().numpy() for parameter in model.parameters())
    first = probe.numpy() @ weight.T + bias
    rectified = np.maximum(first, 0)
    expected = {"0": first, "1": rectified, "2": rectified, "3": rectified @ last.T + offset}
    assert [row["layer"] for row in statistics.rows] == list(expected)
    for row in statistics.rows:
        values = expected[row["layer"]]
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-4, abs=1e-6)
        assert row["deviation"] == pytest.approx(values.std(ddof=1), rel=1e-4)
        assert row["zeros"] == pytest.approx((values == 0).mean())
        assert row["dead"] == pytest.approx((values == 0).all(0).mean())
    assert model.training and not any(leaf._forward_hooks for leaf in model.modules())


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3, 3), (6, 4, 5)])
def test_a_dead_unit_is_zero_for_every_sample_and_place(shape):
    values = torch.rand(shape) + 1
    values[:, 1] = 0
    values[:3, 2] = 0
    statistics = LayerStatistics()
    statistics.activations(0, torch.nn.Sequential(torch.nn.Identity()), values)
    assert statistics.rows[0]["dead"] == 0.25


def test_a_run_keeps_a_row_for_each_layer_and_sparse_epoch():
    run = trained(*TABLE, "epochs=6", "regularization=[batch_norm]")
    rows = run.engine.statistics.rows
    names = [name for name, _ in run.engine.model.named_parameters()]
    assert [(row["epoch"], row["parameter"]) for row in rows if "parameter" in row] == [
        (epoch, name) for epoch in (0, 1, 2, 4, 5) for name in names
    ]
    assert {row["epoch"] for row in rows if "layer" in row} == {0, 1, 2, 4, 5}


def test_looking_changes_nothing(monkeypatch):
    common = (*TABLE, "epochs=4", "regularization=[dropout,batch_norm]")
    watched = trained(*common)
    monkeypatch.setattr("descent.engine.is_sparse_epoch", lambda epoch, epochs: False)
    blind = trained(*common)
    assert not blind.engine.statistics.rows
    assert blind.outcome.weights_sha256 == watched.outcome.weights_sha256


def test_the_gradient_norm_is_of_the_last_step_before_clipping():
    common = (*TABLE, "epochs=1", "batch_size=full", "precision=64")
    plain = trained(*common)
    clipped = trained(*common, "regularization=[gradient_clipping]", "regularization.gradient_clipping.max_norm=1e-3")
    norms = [row["gradient_norm"] for row in plain.engine.statistics.rows if "parameter" in row]
    (_, norm), (_, other) = (run.engine.history["train/gradient_norm"][0] for run in (plain, clipped))
    assert norm == other == pytest.approx(np.sqrt(np.square(norms).sum()), rel=1e-6)
    assert norm > 1e-3
