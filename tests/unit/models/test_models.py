"""Models against closed forms, NumPy and central differences."""

import itertools
import math

import numpy as np
import pytest
import torch

from descent.errors import UsageError
from descent.models.alexnet import AlexNet
from descent.models.cnn import CNN
from descent.models.layers import ACTIVATIONS
from descent.models.linear import Linear
from descent.models.lstm import LSTM
from descent.models.mlp import MLP
from descent.models.resnet import ResNet
from descent.models.vgg import VGG
from descent.sizing import multiply_adds, parameter_count
from descent.tasks.losses import MSE, CrossEntropy
from reference.by_hand import Perceptron


def mlp(hidden=(6, 5), shape=(4,), outputs=3, **more):
    torch.manual_seed(0)
    return MLP(shape, outputs, hidden, **more)


def cnn(channels=(4, 6), shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return CNN(shape, outputs, channels, **more)


def linear(shape=(4,)):
    torch.manual_seed(0)
    return Linear(shape, 3)


def vgg(blocks=((4, 4), (6,)), shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return VGG(shape, outputs, blocks, **more)


def alexnet(channels=(3, 4, 5, 4, 3), hidden=(6, 5), shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return AlexNet(shape, outputs, channels, hidden, **more)


def resnet(channels=(4, 6), depth=2, shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return ResNet(shape, outputs, channels, depth, **more)


def lstm(hidden=5, shape=(2, 8, 8), outputs=3, **more):
    torch.manual_seed(0)
    return LSTM(shape, outputs, hidden, **more)


VECTORS = (mlp, linear)


def inputs_of(make, rows, **more):
    return torch.randn(rows, *((4,) if make in VECTORS else (2, 8, 8)), **more)


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


DROPOUTS = {mlp: 2, cnn: 2, vgg: 2, alexnet: 2, resnet: 1, lstm: 1}


@pytest.mark.parametrize("make", DROPOUTS)
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_dropout_acts_in_training_only(make, p):
    model = make(dropout=p)
    x = inputs_of(make, 64)
    assert torch.equal(model.eval()(x), model(x))
    assert torch.equal(model.train()(x), model(x)) == (p == 0)
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert [layer.p for layer in layers] == [p] * (DROPOUTS[make] if p else 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.linspace(-4, 4, 41)
    sigmoid, erf = 1 / (1 + np.exp(-x)), np.array([math.erf(one / math.sqrt(2)) for one in x])
    formula = {
        "relu": np.maximum(x, 0),
        "leaky_relu": np.where(x > 0, x, 0.01 * x),
        "elu": np.where(x > 0, x, np.exp(x) - 1),
        "gelu": x * (1 + erf) / 2,
        "silu": x * sigmoid,
        "tanh": (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
        "sigmoid": sigmoid,
    }
    np.testing.assert_allclose(ACTIVATIONS[name]()(torch.from_numpy(x)), formula[name], rtol=1e-12, atol=1e-15)


# The worked examples and the scalars of a search


@pytest.mark.parametrize(
    ("model", "shape", "parameters"),
    [
        (mlp((512, 256), (1, 28, 28), 10, dropout=0.2), (1, 28, 28), 535_818),
        (mlp((128,), (1, 28, 28), 10, dropout=0.2), (1, 28, 28), 101_770),
        (mlp((16,), (8,), 1), (8,), 161),
        (
            vgg(((64,), (128,), (256, 256), (512, 512), (512, 512)), (3, 32, 32), 10, norm="batch"),
            (3, 32, 32),
            9_231_114,
        ),
    ],
)
def test_sizes_of_the_worked_examples(model, shape, parameters):
    assert parameter_count(model) == parameters
    assert model.eval()(torch.zeros(1, *shape)).shape[0] == 1


@pytest.mark.parametrize(
    ("hidden", "depth", "width", "same"),
    [
        ((9,), 3, 7, (7, 7, 7)),
        ((9, 8), None, 7, (7, 7)),
        ((9, 8), 3, None, (9, 9, 9)),
        ((9,), 0, None, ()),
        ((), 0, 7, ()),
    ],
)
def test_depth_and_width_stand_for_the_list(hidden, depth, width, same):
    assert str(mlp(hidden, depth=depth, width=width)) == str(mlp(same))


@pytest.mark.parametrize(
    ("channels", "filters", "depth", "same"),
    [((3, 5), 4, None, (4, 8)), ((3, 5), None, 3, (3, 6, 12)), ((3,), 2, 3, (2, 4, 8))],
)
def test_filters_and_depth_stand_for_the_list(channels, filters, depth, same):
    assert str(cnn(channels, filters=filters, depth=depth)) == str(cnn(same))


def test_a_depth_without_a_width_to_repeat_is_refused():
    with pytest.raises(UsageError, match=r"^model.depth: got 2, allowed with model.width"):
        mlp((), depth=2)


# Gradients against central differences

CASES = [(mlp, {"activation": name}) for name in ACTIVATIONS]
CASES += [(mlp, {"norm": "batch"}), (mlp, {"norm": "layer"}), (mlp, {"hidden": ()}), (linear, {})]
CASES += [(cnn, {}), (cnn, {"norm": "batch"}), (cnn, {"norm": "layer"}), (cnn, {"pool": 1, "activation": "gelu"})]
CASES += [(vgg, {"norm": "batch"}), (vgg, {"norm": "layer", "order": "norm_activation"}), (alexnet, {"norm": "batch"})]
CASES += [(alexnet, {"activation": "elu"}), (resnet, {}), (resnet, {"norm": "none", "depth": 1})]
CASES += [(lstm, {}), (lstm, {"layers": 2, "bidirectional": True}), (lstm, {"bidirectional": True, "pooling": "mean"})]


@pytest.mark.parametrize(("make", "settings"), CASES, ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("loss", [CrossEntropy(), MSE()], ids=["cross_entropy", "mse"])
def test_gradients_are_central_differences(make, settings, loss):
    model, random = make(**settings).double().train(), torch.Generator().manual_seed(2)
    x = inputs_of(make, 6, generator=random, dtype=torch.float64)
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


@pytest.mark.parametrize("make", [vgg, alexnet, resnet])
def test_models_of_images_take_images_only(make):
    with pytest.raises(UsageError, match=f"^model: got {make.__name__}, allowed mlp"):
        make(shape=(8,))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: cnn((4, 4), shape=(1, 2, 2), kernel=5),
            r"model.kernel: got 5, allowed 1 to 3 \(block 1 sees images of side 2",
        ),
        (lambda: vgg(((4,),) * 4), r"model.pool: got 2, allowed 1 to 1 \(pixels left at block 4\); use fewer blocks"),
        (lambda: vgg(((4,), (4,)), kernel=9), r"model.kernel: got 9, allowed 1 to 7 \(block 2 sees images of side 4"),
        (lambda: alexnet(shape=(2, 28, 7)), r"alexnet on images of 7 pixels a side, allowed 8 or more \(convolution 5"),
        (lambda: alexnet(shape=(2, 2, 2)), r"\(convolution 2 leaves"),
        (lambda: resnet((2,) * 5), r"model.channels: got 5 stages, allowed 1 to 4 \(stage 5 would halve one pixel\)"),
    ],
)
def test_what_would_collapse_is_refused_with_its_layer(make, line):
    with pytest.raises(UsageError, match=line) as refusal:
        make()
    assert len(str(refusal.value)) <= 200


@pytest.mark.parametrize("make", [lambda: resnet((2,) * 4), lambda: alexnet(), lambda: vgg(((4,),) * 3)])
def test_the_smallest_image_is_taken(make):
    assert make().eval()(torch.zeros(1, 2, 8, 8)).shape == (1, 3)
