"""Methods one by one: what each does to gradients and when it ends a training."""

import copy

import mlflow
import numpy as np
import pytest
import torch

from descent.errors import UsageError
from descent.regularization.early_stopping import EarlyStopping
from descent.regularization.gradient_clipping import GradientClipping
from descent.regularization.l2 import L2
from descent.regularization.method import MOMENTS, Method, moments, weights
from descent.regularization.weight_norm import WeightNorm
from descent.tracking.model import save_model
from reference.trained import TABLE, parts_of, trained


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


def ended(stopping, values):
    """The epoch after which it ends the training, and why."""
    for epoch, given in enumerate(values):
        if reason := stopping.epoch_end(epoch, {"train/gradient_norm": 1.0, **given}):
            return epoch, reason
    return None


@pytest.mark.parametrize(
    ("knobs", "direction", "values", "answer"),
    [
        ({"patience": 2}, "minimize", [3, 2, 2, 2, 1], (3, "m has not improved on 2 for 2 epochs")),
        ({"patience": 2, "min_delta": 0.5}, "minimize", [3, 2.6, 2.5], (2, "m has not improved on 3 for 2 epochs")),
        ({"patience": 2, "min_delta": 0.5}, "minimize", [3, 2.6, 2.4], None),
        ({"patience": 1}, "maximize", [1, 2, 3, 3], (3, "m has not improved on 3 for 1 epochs")),
        ({"patience": 1}, "minimize", [3, np.nan], (1, "m has not improved on 3 for 1 epochs")),
        ({"patience": None}, "minimize", [3, 4, 5, 6], None),
        ({"patience": None, "target": 2.0}, "minimize", [3, 2.1, 2.0], (2, "m 2 has reached 2")),
        ({"patience": None, "target": 0.9}, "maximize", [0.8, 0.95], (1, "m 0.95 has reached 0.9")),
        ({"patience": 1, "target": 0.0}, "minimize", [1, 1], (1, "m has not improved on 1 for 1 epochs")),
    ],
)
def test_when_a_training_ends(knobs, direction, values, answer):
    stopping = EarlyStopping("m", direction, **{"min_delta": 0.0, **knobs})
    assert ended(stopping, [{"m": value} for value in values]) == answer


def test_a_small_gradient_ends_it():
    stopping = EarlyStopping("m", "minimize", None, 0.0, gradient_norm=0.01)
    norms = [{"train/gradient_norm": norm} for norm in (1.0, 0.011, 0.01)]  # epochs without validation, too
    assert ended(stopping, norms) == (2, "train/gradient_norm 0.01 is within 0.01")


def test_until_converged():
    """On train/loss, with the whole batch, a convex problem ends at its minimum, long before its epochs."""
    convex = (*TABLE, "model.hidden=[]", "batch_size=full", "optimizer=sgd", "lr=0.5", "restore=last", "precision=64")
    stop = ("regularization=[early_stopping]", "epochs=2000", "dataset.noise=3")
    by = "regularization.early_stopping."
    flat = trained(*convex, *stop, f"{by}patience=null", f"{by}gradient_norm=1e-3", f"{by}monitor=train/loss")
    assert flat.outcome.stopped_because.startswith("train/gradient_norm") and flat.outcome.epochs < 1000
    still = trained(*convex, *stop, f"{by}patience=3", f"{by}min_delta=1e-6", f"{by}monitor=train/loss")
    assert still.outcome.stopped_because.startswith("train/loss has not improved") and still.outcome.epochs < 1000
    losses = [run.engine.history["train/loss"][-1][1] for run in (flat, still)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_weight_norm_starts_where_the_weights_were_and_learns_lengths_apart():
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3)).double()
    normed = copy.deepcopy(plain)
    WeightNorm().join(normed, 3)
    inputs = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(normed(inputs), plain(inputs), rtol=1e-12, atol=1e-12)
    normed(inputs).square().sum().backward()
    plain(inputs).square().sum().backward()
    for layer, before in ((normed[0], plain[0]), (normed[2], plain[2])):
        length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
        g, w = before.weight.grad.flatten(1).numpy(), before.weight.detach().flatten(1).numpy()
        norm = np.linalg.norm(w, axis=1, keepdims=True)
        along = (g * w).sum(1, keepdims=True) / norm  # dL/dg = dL/dw · v/|v|
        np.testing.assert_allclose(length.grad.flatten(1), along, rtol=1e-10)
        np.testing.assert_allclose(direction.grad.flatten(1), g - along * w / norm, rtol=1e-9, atol=1e-12)


def test_weight_norm_of_zero_weights_is_refused():
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.zeros_(layer.weight)
    with pytest.raises(UsageError, match=r"^regularization: got weight_norm, .*those of 1 are zero: choose another"):
        WeightNorm().join(torch.nn.Sequential(torch.nn.Flatten(), layer), 2)


def test_weight_norm_acts_and_its_model_is_kept(tmp_path):
    run = trained(*TABLE, "epochs=3", "batch_size=16", "regularization=[weight_norm]", "restore=last")
    assert (
        run.outcome.weights_sha256
        != trained(*TABLE, "epochs=3", "batch_size=16", "restore=last").outcome.weights_sha256
    )
    inputs = run.parts.data.test.inputs[:4].float().numpy()
    save_model(torch.nn.Sequential(run.engine.scaling, run.engine.model), inputs, tmp_path / "model")
    served = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(inputs)
    np.testing.assert_allclose(served, run.engine.outputs[:4], atol=1e-5)


@pytest.mark.parametrize(("model", "kind"), [("mlp", "LayerNorm"), ("cnn", "GroupNorm"), ("resnet", "GroupNorm")])
def test_layer_norm_reaches_the_model(model, kind):
    image = ("dataset=synthetic", "dataset.kind=image", "dataset.shape=[1,8,8]")
    text = str(parts_of(f"model={model}", *image, "regularization=[layer_norm]")[1].engine.model)
    assert kind in text and "BatchNorm" not in text
