"""Batch normalization with knobs of its own, against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from descent.regularization.batch_norm import BatchNorm
from reference.trained import TABLE, parts_of

IMAGE = ("dataset=synthetic", "dataset.kind=image", "dataset.shape=[2,8,8]", "dataset.samples=40")
KERAS = ("regularization.batch_norm.eps=0.001", "regularization.batch_norm.momentum=0.01")


@pytest.mark.parametrize(("eps", "momentum"), [(1e-5, 0.1), (1e-3, 0.01), (0.5, 1.0)])
def test_values_and_statistics(eps, momentum):
    layer = nn.BatchNorm1d(3).double()
    BatchNorm("batch", eps, momentum).join(nn.Sequential(layer), 3)
    x = np.random.default_rng(0).normal(size=(20, 3)) * 0.1 + 2
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    np.testing.assert_allclose(layer(torch.from_numpy(x)).detach(), expected, rtol=1e-10)
    mean = momentum * x.mean(0)
    variance = (1 - momentum) + momentum * x.var(0, ddof=1)  # torch keeps the unbiased one
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, variance, rtol=1e-12)
    evaluated = layer.eval()(torch.from_numpy(x)).detach()
    np.testing.assert_allclose(evaluated, (x - mean) / np.sqrt(variance + eps), rtol=1e-10)


@pytest.mark.parametrize("model", ["mlp", "cnn", "vgg", "alexnet", "resnet"])
def test_they_reach_every_norm_of_every_model(model):
    data = TABLE[:-1] if model == "mlp" else IMAGE
    _, parts = parts_of(*data, f"model={model}", "regularization=[batch_norm]", *KERAS)
    norms = [layer for layer in parts.engine.model.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert norms and {(layer.eps, layer.momentum) for layer in norms} == {(0.001, 0.01)}
