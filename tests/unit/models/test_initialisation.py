"""Initial weights against the variance and the bounds of their formulas, layer by layer and through a deep network."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from descent.models.initialisation import INITIALISATIONS, initialise
from descent.models.lstm import LSTM
from descent.models.mlp import MLP
from descent.models.resnet import ResNet

UNIFORM = ("glorot_uniform", "he_uniform", "lecun_uniform", "uniform")


def variance(name: str, fan_in: int, fan_out: int) -> float:
    """As the papers and Keras have it."""
    return {
        "glorot": 2 / (fan_in + fan_out),
        "he": 2 / fan_in,
        "lecun": 1 / fan_in,
        "normal": 0.05**2,
        "uniform": 0.05**2 / 3,
        "zeros": 0.0,
    }[name.partition("_")[0]]


def check(weight: torch.Tensor, name: str, fan_in: int, fan_out: int) -> None:
    values, wanted = weight.detach().double().numpy().ravel(), variance(name, fan_in, fan_out)
    spread = 6 * math.sqrt(2 / values.size)  # six standard errors of a normal sample's variance
    assert values.var() == pytest.approx(wanted, rel=spread)
    assert abs(values.mean()) <= 6 * math.sqrt(wanted / values.size)
    if name in UNIFORM:
        bound = math.sqrt(3 * wanted)
        assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    elif wanted:
        assert np.abs(values).max() > 3 * math.sqrt(wanted)  # a normal has tails that a uniform has not


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


@pytest.mark.parametrize("name", sorted(set(INITIALISATIONS) - {"orthogonal"}))
def test_variance_of_weights(name):
    model = nn.Sequential(nn.Linear(300, 100), nn.Conv2d(20, 40, 5), nn.Conv2d(32, 64, 3, groups=1))
    initialise(model, name)
    check(model[0].weight, name, 300, 100)
    check(model[1].weight, name, 20 * 25, 40 * 25)
    check(model[2].weight, name, 32 * 9, 64 * 9)
    assert all(not layer.bias.any() for layer in model)


@pytest.mark.parametrize("name", sorted(set(INITIALISATIONS) - {"orthogonal"}))
def test_each_gate_of_an_lstm_has_its_own_fan(name):
    model = LSTM((7, 50), 3, hidden=80, layers=2, bidirectional=True, init=name)
    for end, fan_in in (("l0", 50), ("l1_reverse", 160)):
        for gate in model.lstm.get_parameter(f"weight_ih_{end}").chunk(4):
            check(gate, name, fan_in, 80)
        for gate in model.lstm.get_parameter(f"weight_hh_{end}").chunk(4):
            check(gate, name, 80, 80)
    assert not any(bias.any() for key, bias in model.named_parameters() if "bias" in key)


@pytest.mark.parametrize("name", sorted(set(INITIALISATIONS) - {"orthogonal"}))
def test_attention_is_drawn_matrix_by_matrix(name):
    model = nn.MultiheadAttention(64, 4)
    initialise(model, name)
    for matrix in (*model.in_proj_weight.chunk(3), model.out_proj.weight):
        check(matrix, name, 64, 64)
    assert not model.in_proj_bias.any()


def test_orthogonal_rows_or_columns():
    model = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 30), nn.Conv2d(4, 6, 3), LSTM((5, 8), 3, hidden=8))
    initialise(model, "orthogonal")
    matrices = [model[0].weight, model[1].weight.T, model[2].weight.flatten(1)]
    matrices += [*model[3].lstm.weight_ih_l0.chunk(4), *model[3].lstm.weight_hh_l0.chunk(4)]
    for matrix in matrices:
        rows = matrix.detach().double()
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-5)


def test_default_is_torchs_own_and_norms_keep_their_start():
    torch.manual_seed(5)
    plain = MLP((9,), 2, (8, 7)).state_dict()
    torch.manual_seed(5)
    assert all(torch.equal(one, plain[key]) for key, one in MLP((9,), 2, (8, 7), init="default").state_dict().items())
    model = ResNet((1, 8, 8), 2, (4, 6), init="he_normal")
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms and all(torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in norms)


@pytest.mark.parametrize(
    ("name", "activation", "factor"),
    [
        # the second moment of z grows by fan_in * Var(w) * E[a^2] / E[z^2] with each layer; relu halves E[a^2]
        ("he_normal", "relu", 1.0),
        ("he_uniform", "relu", 1.0),
        ("glorot_normal", "relu", 0.5),
        ("lecun_uniform", "relu", 0.5),
        ("normal", "relu", 128 * 0.05**2 / 2),
        ("orthogonal", "relu", 0.5),
        ("lecun_normal", "linear", 1.0),
    ],
)
def test_activations_through_the_layers(name, activation, factor):
    """One network strays by a third (sqrt(5 / width) a layer), the mean over 40 by a twentieth."""
    ratios = [growth(MLP((128,), 2, (128,) * 4, init=name).layers, activation) for _ in range(40)]
    assert np.mean(ratios) == pytest.approx(factor**3, rel=0.25)


def growth(layers: nn.Sequential, activation: str) -> float:
    """The second moment of the fourth layer's sums over that of the first's."""
    x, moments = torch.randn(64, 128), []
    for layer in layers:
        if isinstance(layer, nn.Linear) and layer.out_features == 128:
            x = layer(x.relu() if moments and activation == "relu" else x)
            moments.append(float(x.detach().square().mean()))
    return moments[-1] / moments[0]


def test_zeros_leave_the_units_of_a_layer_the_same():
    model = MLP((4,), 2, (5,), activation="sigmoid", init="zeros")
    model(torch.randn(6, 4)).square().sum().backward()
    assert not model.layers[1].weight.grad.any()
