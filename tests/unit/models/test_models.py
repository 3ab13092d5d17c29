"""Models against closed forms, NumPy and central differences."""

import itertools
import math

import numpy as np
import pytest
import torch

from descent.errors import UsageError
from descent.models.cnn import CNN
from descent.models.layers import ACTIVATIONS
from descent.models.mlp import MLP
from descent.sizing import multiply_adds, parameter_count
from descent.tasks.losses import MSE, CrossEntropy
from reference.by_hand import Perceptron


def mlp(hidden=(6, 5), shape=(4,), outputs=3, **more):
    torch.manual_seed(0)
    return MLP(shape, outputs, hidden, **more)


def cnn(channels=(4, 6), shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return CNN(shape, outputs, channels, **more)


def mlp_parameters(widths, norm):
    plain = sum(before * after + after for before, after in itertools.pairwise(widths))
    return plain + (2 * sum(widths[1:-1]) if norm else 0)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5, 3)])
@pytest.mark.parametrize("shape", [(4,), (1, 3, 3)])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_size_of_an_mlp(hidden, shape, norm):
    model, widths = mlp(hidden, shape, norm=norm), [math.prod(shape), *hidden, 3]
    assert parameter_count(model) == mlp_parameters(widths, norm != "none")
    assert multiply_adds(model, shape) == sum(a * b for a, b in itertools.pairwise(widths))
    assert model(torch.zeros(5, *shape)).shape == (5, 3)


@pytest.mark.parametrize("channels", [(4,), (4, 6)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_size_of_a_cnn(channels, kernel, pool, norm):
    model, depths, side, work = cnn(channels, kernel=kernel, pool=pool, norm=norm), [2, *channels], 8, 0
    for before, after in itertools.pairwise(depths):
        work += side**2 * kernel**2 * before * after
        side //= pool
    pairs = list(itertools.pairwise(depths))
    count = sum(a * b * kernel**2 + b for a, b in pairs) + depths[-1] * 3 + 3
    assert parameter_count(model) == count + (2 * sum(channels) if norm != "none" else 0)
    assert multiply_adds(model, (2, 8, 8)) == work + depths[-1] * 3
    assert model(torch.zeros(5, 2, 8, 8)).shape == (5, 3)


def test_counting_leaves_the_model_as_it_was():
    model = mlp(norm="batch", dropout=0.5).train()
    before, state = torch.get_rng_state(), model.state_dict()["layers.2.running_mean"].clone()
    multiply_adds(model, (4,))
    assert model.training and torch.equal(model.state_dict()["layers.2.running_mean"], state)
    assert torch.equal(torch.get_rng_state(), before)


def test_frozen_parameters_are_not_counted():
    model = mlp((7,))
    model.layers[1].weight.requires_grad_(False)
    assert parameter_count(model) == 7 + 7 * 3 + 3


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("hidden", [(), (6, 5)])
def test_forward_of_an_mlp(activation, hidden):
    model = mlp(hidden, activation=activation).double()
    x = np.random.default_rng(1).normal(size=(9, 4))
    expected = Perceptron([p.detach().numpy() for p in model.parameters()], activation).forward(x)
    np.testing.assert_allclose(model(torch.from_numpy(x)).detach(), expected, rtol=1e-12, atol=1e-14)


def test_forward_of_a_cnn():
    """One 3x3 convolution, relu, 2x2 max-pooling, mean over the image, linear: by loops."""
    model = cnn((3,), (1, 4, 4), outputs=2).double()
    image = np.random.default_rng(1).normal(size=(4, 4))
    kernel, bias, weight, offset = (p.detach().numpy() for p in model.parameters())
    padded = np.pad(image, 1)
    planes = []
    for depth in range(3):
        plane = np.array(
            [
                [(padded[i : i + 3, j : j + 3] * kernel[depth, 0]).sum() + bias[depth] for j in range(4)]
                for i in range(4)
            ]
        )
        plane = np.maximum(plane, 0)
        planes.append(np.mean([plane[i : i + 2, j : j + 2].max() for i in (0, 2) for j in (0, 2)]))
    expected = weight @ np.array(planes) + offset
    np.testing.assert_allclose(model(torch.from_numpy(image).view(1, 1, 4, 4)).detach()[0], expected, rtol=1e-12)


@pytest.mark.parametrize("make", [mlp, cnn])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_dropout_acts_in_training_only(make, p):
    model = make(dropout=p)
    x = torch.randn(64, *((4,) if make is mlp else (2, 8, 8)))
    assert torch.equal(model.eval()(x), model(x))
    assert torch.equal(model.train()(x), model(x)) == (p == 0)
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert [layer.p for layer in layers] == [p] * (2 if p else 0)


# Gradients against central differences

CASES = [(mlp, {"activation": name}) for name in ACTIVATIONS]
CASES += [(mlp, {"norm": "batch"}), (mlp, {"norm": "layer"}), (mlp, {"hidden": ()})]
CASES += [(cnn, {}), (cnn, {"norm": "batch"}), (cnn, {"norm": "layer"}), (cnn, {"pool": 1, "activation": "gelu"})]


@pytest.mark.parametrize(("make", "settings"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("loss", [CrossEntropy(), MSE()], ids=["cross_entropy", "mse"])
def test_gradients_are_central_differences(make, settings, loss):
    model, random = make(**settings).double().train(), torch.Generator().manual_seed(2)
    x = torch.randn(6, *((4,) if make is mlp else (2, 8, 8)), generator=random, dtype=torch.float64)
    y = torch.arange(6) % 3
    loss(model(x), y).backward()
    for parameter in model.parameters():
        direction = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
        slope = float((parameter.grad * direction).sum())
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter.add_(direction, alpha=step)
                values.append(float(loss(model(x), y)))
        with torch.no_grad():
            parameter.add_(direction, alpha=1e-6)
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-5, abs=1e-8)


# Refusals


def test_a_cnn_that_would_collapse_is_refused():
    with pytest.raises(UsageError, match=r"model.pool: got 2, allowed 1 to 1 \(pixels left at block 4\)"):
        cnn((4, 4, 4, 4))
    with pytest.raises(UsageError, match=r"model.pool: got 16, allowed 1 to 8 \(pixels left at block 1\)"):
        cnn((4,), pool=16)
    assert cnn((4, 4, 4))(torch.zeros(1, 2, 8, 8)).shape == (1, 3)


def test_a_cnn_takes_images_only():
    with pytest.raises(UsageError, match="model: got cnn, allowed mlp"):
        cnn(shape=(8,))
