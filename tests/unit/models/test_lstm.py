"""The LSTM against a cell written out in NumPy."""

import numpy as np
import pytest
import torch

from descent.models.lstm import LSTM, sequence
from descent.sizing import multiply_adds, parameter_count


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def states(x, w_ih, w_hh, b_ih, b_hh):
    """Every state of one layer in one direction; the stacked gates are input, forget, candidate, output."""
    size = w_hh.shape[1]
    h = c = np.zeros((len(x), size))
    out = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        i, f, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out, 1)


def by_hand(model, x, layers, bidirectional, pooling):
    weights = {name: value.detach().numpy() for name, value in model.named_parameters()}

    def run(layer, suffix, inputs):
        names = (f"{kind}_l{layer}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        return states(inputs, *(weights[f"lstm.{name}"] for name in names))

    for layer in range(layers):
        ahead = run(layer, "", x)
        back = run(layer, "_reverse", x[:, ::-1]) if bidirectional else ahead[..., :0]
        x = np.concatenate([ahead, back[:, ::-1]], 2)
    last = np.concatenate([ahead[:, -1], back[:, -1]], 1)  # the reverse direction ends at the first step
    seen = last if pooling == "last" else x.mean(1)
    return seen @ weights["head.0.weight"].T + weights["head.0.bias"]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_forward(layers, bidirectional, pooling):
    torch.manual_seed(0)
    model = LSTM((7, 4), 3, 5, layers, bidirectional, pooling).double()
    x = np.random.default_rng(1).normal(size=(6, 7, 4))
    expected = by_hand(model, x, layers, bidirectional, pooling)
    np.testing.assert_allclose(model(torch.from_numpy(x)).detach(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("shape", "steps", "features"), [((9,), 9, 1), ((5, 3), 5, 3), ((2, 4, 3), 4, 6)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
def test_size(shape, steps, features, layers, directions):
    hidden = 6
    model = LSTM(shape, 3, hidden, layers, directions == 2)
    inputs = [features] + [directions * hidden] * (layers - 1)
    recurrent = sum(directions * 4 * hidden * (before + hidden) for before in inputs)
    biases, head = layers * directions * 8 * hidden, directions * hidden * 3
    assert parameter_count(model) == recurrent + biases + head + 3
    assert multiply_adds(model, shape) == steps * recurrent + head
    assert model(torch.zeros(5, *shape)).shape == (5, 3)


def test_an_image_is_read_row_by_row_and_a_table_column_by_column():
    image = torch.arange(24.0).view(1, 2, 4, 3)  # two channels of four rows of three
    assert sequence(image)[0, 1].tolist() == [3, 4, 5, 15, 16, 17]
    assert sequence(torch.tensor([[1.0, 2.0]])).tolist() == [[[1.0], [2.0]]]


# Words


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_words_are_embedded_and_read_up_to_their_end(layers, bidirectional, pooling):
    torch.manual_seed(0)
    model = LSTM((6,), 3, 5, layers, bidirectional, pooling, embedding=4, tokens=9).double()
    table = model.embedding.weight.detach().numpy()
    ids = np.array([[3, 1, 8, 2, 2, 7], [5, 0, 0, 0, 0, 0], [2, 4, 1, 0, 0, 0]])
    got = model(torch.from_numpy(ids)).detach()
    for row, length in zip(range(3), (6, 1, 3), strict=True):
        read = table[ids[row, :length]][None]  # without its padding
        expected = by_hand(model, read, layers, bidirectional, pooling)
        np.testing.assert_allclose(got[row], expected[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_more_padding_changes_nothing(bidirectional, pooling):
    torch.manual_seed(1)
    model = LSTM((4,), 2, 6, 2, bidirectional, pooling, tokens=7).double()
    ids = torch.tensor([[2, 3, 4, 0], [6, 0, 0, 0]])
    longer = torch.cat([ids, torch.zeros(2, 5, dtype=torch.int64)], 1)
    np.testing.assert_allclose(model(longer).detach(), model(ids).detach(), rtol=1e-12)


def test_the_padding_is_never_trained():
    torch.manual_seed(2)
    model = LSTM((4,), 2, 6, tokens=7, bidirectional=True)
    model(torch.tensor([[2, 3, 0, 0]])).sum().backward()
    moved = model.embedding.weight.grad.abs().sum(1) > 0
    assert moved.tolist() == [False, False, True, True, False, False, False]
