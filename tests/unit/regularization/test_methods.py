"""Methods one by one: what each does to gradients and when it ends a training."""

import numpy as np
import pytest
import torch

from descent.regularization.early_stopping import EarlyStopping
from descent.regularization.gradient_clipping import GradientClipping
from descent.regularization.l2 import L2
from descent.regularization.method import MOMENTS, Method, moments, weights


def parameters(gradient=1.0):
    matrix, bias = torch.nn.Parameter(torch.full((2, 3), 2.0)), torch.nn.Parameter(torch.full((2,), 5.0))
    for parameter in (matrix, bias):
        parameter.grad = torch.full_like(parameter, gradient)
    return [matrix, bias]


def test_l2_pulls_on_matrices_only():
    matrix, bias = parameters()
    L2(0.25).after_backward([matrix, bias])
    assert torch.equal(matrix.grad, torch.full((2, 3), 1.5)) and torch.equal(bias.grad, torch.ones(2))


def test_l2_passes_over_what_has_no_gradient():
    matrix, bias = parameters()
    matrix.grad = None
    L2(0.25).after_backward([matrix, bias])
    assert matrix.grad is None


@pytest.mark.parametrize(("gradient", "longest"), [(1.0, 0.5), (1.0, 100.0), (3.0, 1.0), (0.0, 1.0)])
def test_clipping_shortens_the_whole_gradient(gradient, longest):
    both = parameters(gradient)
    GradientClipping(longest).after_backward(both)
    before = gradient * np.sqrt(8)
    after = np.sqrt(sum(float((parameter.grad**2).sum()) for parameter in both))
    assert after == pytest.approx(min(before, longest), rel=1e-5)
    assert float(both[0].grad[0, 0]) == pytest.approx(float(both[1].grad[0]))


def test_penalties_come_before_clipping():
    clip, penalty = GradientClipping(1.0), L2(0.1)
    for methods in ([clip, penalty], [penalty, clip]):
        assert [moment.__self__ for moment in moments(methods, "after_backward")] == [penalty, clip]


@pytest.mark.parametrize("moment", MOMENTS)
def test_only_what_is_implemented_is_called(moment):
    implementing = type("Toy", (Method,), {moment: lambda self, *arguments: None})()
    assert moments([Method(), implementing, Method()], moment) == [getattr(implementing, moment)]
    assert all(moments([implementing], other) == [] for other in MOMENTS if other != moment)


def test_rank_orders_and_ties_keep_their_order():
    methods = [type(name, (Method,), {"rank": rank, "after_step": lambda *_: None})() for name, rank in
               [("late", 90), ("first", 50), ("second", 50), ("early", 1)]]  # fmt: skip
    assert [type(moment.__self__).__name__ for moment in moments(methods, "after_step")] == [
        "early",
        "first",
        "second",
        "late",
    ]


def test_weights_are_matrices_and_kernels():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 2))
    assert [tuple(weight.shape) for weight in weights(list(model.parameters()))] == [(2, 1, 3, 3), (2, 2)]


def test_state_round_trips():
    stopping = EarlyStopping("val/loss", "minimize", 3, 0.0)
    for epoch, value in enumerate([3.0, 2.0, 2.5]):
        stopping.epoch_end(epoch, {"val/loss": value})
    again = EarlyStopping("val/loss", "minimize", 3, 0.0)
    again.load_state_dict(stopping.state_dict())
    assert again.state_dict() == {"best": 2.0, "waited": 1} == stopping.state_dict()
    assert again.epoch_end(3, {"val/loss": 2.1}) is None
    assert again.epoch_end(4, {"val/loss": 2.1}) == "val/loss has not improved on 2 for 3 epochs"
    for stateless in (Method(), L2(1.0), GradientClipping(1.0)):
        stateless.load_state_dict(stateless.state_dict())
        assert stateless.state_dict() == {}
