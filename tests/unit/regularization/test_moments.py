"""The moments of a step: what each may change, and who makes the step."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from descent.regularization.l2 import L2
from descent.regularization.method import Method, StepOwner, moments
from reference.by_hand import standardised
from reference.stepped import DOUBLE, ODD, weights_of
from reference.trained import changed, parts_of, trained


class Blind(Method):
    def batch_in(self, batch):
        return torch.zeros_like(batch[0]), batch[1]


class Penalty(Method):
    def loss(self, loss, model):
        return loss + 0.05 * sum((weight**2).sum() for weight in model.parameters() if weight.ndim > 1)


class Frozen(Method):
    def after_backward(self, parameters):
        for parameter in parameters:
            parameter.grad.zero_()


class Bounded(Method):
    def after_step(self, parameters):
        with torch.no_grad():
            for parameter in parameters:
                parameter.clamp_(-0.01, 0.01)


class Ends(Method):
    def epoch_end(self, epoch, metrics):
        return "enough" if epoch == 2 else None


class Zeroed(Method):
    """Evaluates with every weight at zero, as an average of weights would with others."""

    def __init__(self):
        self.entered = 0

    @contextmanager
    def evaluate(self, model):
        self.entered += 1
        kept = [parameter.detach().clone() for parameter in model.parameters()]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(model.parameters(), kept, strict=True):
                    parameter.copy_(value)


def with_methods(*methods, extra=()):
    return trained(*DOUBLE, "epochs=4", *extra, change=lambda parts: changed(parts, methods=list(methods)))


def test_a_method_changes_the_batch():
    run = with_methods(Blind())
    assert not np.array_equal(weights_of(run)[1], weights_of(with_methods())[1])
    first = parts_of(*DOUBLE)[1].engine.model.state_dict()["layers.1.weight"].double().numpy()
    np.testing.assert_array_equal(weights_of(run)[0], first)  # no input, no gradient


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_method_adds_to_the_loss(accumulate):
    extra = (f"accumulate={accumulate}", "batch_size=16")
    ours, theirs = with_methods(Penalty(), extra=extra), with_methods(L2(0.1), extra=extra)
    for one, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


def test_a_method_changes_the_gradient():
    _, parts = parts_of(*DOUBLE)
    before = [parameter.detach().double().numpy() for parameter in parts.engine.model.parameters()]
    for one, other in zip(weights_of(with_methods(Frozen())), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_method_changes_the_weights():
    assert max(np.abs(weight).max() for weight in weights_of(with_methods(Bounded()))) <= 0.01


def test_a_method_ends_the_training():
    run = with_methods(Ends())
    assert run.outcome.epochs == 3 and run.outcome.stopped_because == "enough"


def test_a_method_has_its_own_weights_evaluated_and_reported():
    method = Zeroed()
    run = with_methods(method)
    assert run.engine.history["val/loss"] == [(epoch, pytest.approx(np.log(3))) for epoch in range(4)]
    assert run.engine.history["train/loss"] == with_methods().engine.history["train/loss"]
    assert run.outcome.metrics["test/loss"] == pytest.approx(np.log(3))
    assert all(not weight.any() for weight in weights_of(run)), "what was measured is what is kept"
    best = with_methods(Zeroed(), extra=["restore=best"])
    assert best.outcome.metrics["test/loss"] == pytest.approx(np.log(3)) and not any(map(np.any, weights_of(best)))


class Averaged(Method):
    """Evaluates with a running average of the weights."""

    def prepare(self, model):
        self.average = [parameter.detach().clone() for parameter in model.parameters()]

    def after_step(self, parameters):
        torch._foreach_lerp_(self.average, [parameter.detach() for parameter in parameters], 0.2)

    @contextmanager
    def evaluate(self, model):
        own = [parameter.detach().clone() for parameter in model.parameters()]
        with torch.no_grad():
            torch._foreach_copy_(list(model.parameters()), self.average)
            try:
                yield
            finally:
                torch._foreach_copy_(list(model.parameters()), own)


@pytest.mark.parametrize("restore", ["best", "last"])
def test_the_average_that_was_best_is_what_is_tested_and_kept(restore):
    run = trained(
        *DOUBLE, "epochs=8", "lr=0.05", f"restore={restore}", change=lambda parts: changed(parts, methods=[Averaged()])
    )
    assert run.outcome.epoch < 7 if restore == "best" else run.outcome.epoch == 7
    model, scaling, metrics = run.engine.model.eval(), run.engine.scaling, run.outcome.metrics
    for name, split in (("test", run.parts.data.test), ("best/val", run.parts.data.val)):
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(model(scaling(split.inputs)), split.targets)
        assert metrics[f"{name}/loss"] == pytest.approx(float(loss), rel=1e-12)


def test_a_moment_that_nobody_implements_is_not_called():
    assert all(moments([Method(), Method()], name) == [] for name in ("batch_in", "loss", "after_step", "evaluate"))


# The owner of the step


class Closure(StepOwner):
    def step(self, gradients, optimizer):
        return optimizer.step(gradients)


def test_an_optimizer_that_asks_for_the_gradient_again():
    """LBFGS on a linear model finds the least squares."""
    overrides = (
        *DOUBLE,
        "dataset.task=regression",
        "model.hidden=[]",
        "batch_size=full",
        "epochs=5",
        "dataset.noise=2",
    )
    run = trained(
        *overrides,
        change=lambda parts: changed(
            parts,
            owner=Closure(),
            optimizer=lambda model: torch.optim.LBFGS(model.parameters(), tolerance_change=1e-15),
        ),
    )
    data = run.parts.data.train
    raw = data.inputs.double().numpy()
    rows = np.column_stack([standardised(raw, raw), np.ones(len(raw))])
    solution = np.linalg.lstsq(rows, data.targets.double().numpy(), rcond=None)[0]
    weight, bias = weights_of(run)
    np.testing.assert_allclose(np.vstack([weight.T, bias]), solution, atol=1e-6)
    assert run.trainer.global_step == 5 == sum(map(len, run.engine.losses))
    observed = [(row["epoch"], row["parameter"]) for row in run.engine.statistics.rows if "parameter" in row]
    assert len(observed) == len(set(observed)) == 2 * 4  # one row a step, however often it asked


class TwoPasses(StepOwner):
    """Asks twice and steps once: dropout must be the same in both."""

    def __init__(self):
        self.pairs = []

    def step(self, gradients, optimizer):
        first = float(gradients())
        loss = super().step(gradients, optimizer)
        self.pairs.append((first, float(loss)))
        return loss


def test_two_passes_over_a_minibatch_see_the_same_noise():
    owner = TwoPasses()
    run = trained(*ODD, "regularization=[dropout]", change=lambda parts: changed(parts, owner=owner))
    assert owner.pairs and all(first == second for first, second in owner.pairs)
    assert run.outcome.weights_sha256 == trained(*ODD, "regularization=[dropout]").outcome.weights_sha256
