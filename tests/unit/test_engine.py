"""The engine against NumPy, against itself cut otherwise, and against what Lightning promises its callbacks."""

import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from descent.engine import Engine
from descent.errors import Diverged, Interrupted, UsageError
from descent.regularization.l2 import L2
from descent.regularization.method import Method, StepOwner, moments
from descent.reproducibility import epoch_order
from reference.by_hand import Optimizer, Perceptron, clipped, standardised
from reference.trained import NOISY, TABLE, changed, fit, parts_of, trained

DOUBLE = (*TABLE, "precision=64", "restore=last", "model.activation=tanh")


class Watched(StepOwner):
    """The ordinary step, which also keeps the losses as they were computed."""

    def __init__(self):
        self.losses = []

    def step(self, gradients, optimizer):
        loss = super().step(gradients, optimizer)
        self.losses.append(float(loss))
        return loss


def watched(*overrides):
    config, parts = parts_of(*overrides)
    owner = Watched()
    initial = [parameter.detach().double().numpy() for parameter in parts.engine.model.parameters()]
    run = fit(config, changed(parts, owner=owner))
    return run, owner.losses, [value.copy() for value in initial]


def weights_of(run):
    return [parameter.detach().numpy() for parameter in run.engine.model.parameters()]


def by_hand(run, parameters, optimizer, loss, penalty=0.0, longest=None):
    """The same training in NumPy; only the order of the samples is the product's."""
    config, data = run.config, run.parts.data.train
    raw, targets = data.inputs.double().numpy(), data.targets.numpy()
    inputs = standardised(raw, raw)
    network = Perceptron(parameters, config.model.settings["activation"])
    losses, size = [], run.engine.recipe.feed.batch_size
    for epoch in range(config.epochs):
        order = epoch_order(config.seed, epoch, len(targets)).numpy()
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            if len(rows) < size and config.loader.drop_last:
                continue
            value, gradients = network.gradients(inputs[rows], targets[rows], loss)
            gradients = [g + penalty * w * (w.ndim > 1) for g, w in zip(gradients, parameters, strict=True)]
            optimizer.step(parameters, clipped(gradients, longest) if longest else gradients)
            losses.append(value)
    return losses, parameters


def agree(run, losses, reference, tolerance=1e-8):
    expected, parameters = reference
    assert len(losses) == len(expected) and len(expected) >= 20
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    for ours, theirs in zip(weights_of(run), parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=1e-12)


# Twenty steps against NumPy

OPTIMIZERS = {
    "sgd": (["optimizer=sgd", "lr=0.2"], Optimizer("sgd", 0.2)),
    "sgd decay": (["optimizer=sgd", "lr=0.2", "weight_decay=0.1"], Optimizer("sgd", 0.2, decay=0.1)),
    "momentum": (["optimizer=momentum", "lr=0.05"], Optimizer("momentum", 0.05)),
    "dampening": (
        ["optimizer=momentum", "lr=0.1", "optimizer.momentum=0.8", "optimizer.dampening=0.5", "weight_decay=0.01"],
        Optimizer("momentum", 0.1, momentum=0.8, dampening=0.5, decay=0.01),
    ),
    "nesterov": (["optimizer=momentum", "optimizer.nesterov=true"], Optimizer("momentum", 0.05, nesterov=True)),
    "adam": (["optimizer=adam", "lr=0.01"], Optimizer("adam", 0.01)),
    "adam decay": (
        ["optimizer=adam", "lr=0.01", "weight_decay=0.1", "optimizer.betas=[0.8,0.99]", "optimizer.eps=1e-4"],
        Optimizer("adam", 0.01, decay=0.1, beta1=0.8, beta2=0.99, eps=1e-4),
    ),
    "adamw": (["optimizer=adamw", "lr=0.01", "weight_decay=0.1"], Optimizer("adamw", 0.01, decay=0.1)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_of_an_optimizer(name):
    overrides, optimizer = OPTIMIZERS[name]
    run, losses, initial = watched(*DOUBLE, "epochs=2", "batch_size=16", *overrides)
    fresh = Optimizer(**{**vars(optimizer), "memory": {}, "steps": 0})
    agree(run, losses, by_hand(run, initial, fresh, "cross_entropy"))


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_twenty_steps_of_a_model_and_loss(activation, loss):
    run, losses, initial = watched(
        *DOUBLE, "epochs=2", "batch_size=16", "model.hidden=[7,5]", f"model.activation={activation}", f"loss={loss}"
    )
    agree(run, losses, by_hand(run, initial, Optimizer("adam", 0.001), loss))


def test_twenty_steps_of_a_regression():
    run, losses, initial = watched(*DOUBLE, "dataset.task=regression", "epochs=2", "batch_size=16", "optimizer=sgd")
    agree(run, losses, by_hand(run, initial, Optimizer("sgd", 0.1), "mse"))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_l2_and_clipping(optimizer):
    run, losses, initial = watched(
        *DOUBLE,
        "epochs=2",
        "batch_size=16",
        f"optimizer={optimizer}",
        "lr=0.05",
        "regularization=[l2,gradient_clipping]",
        "regularization.l2.strength=0.3",
        "regularization.gradient_clipping.max_norm=0.4",
    )
    agree(run, losses, by_hand(run, initial, Optimizer(optimizer, 0.05), "cross_entropy", penalty=0.3, longest=0.4))


def test_l2_is_weight_decay_under_sgd_and_not_under_adam():
    def apart(optimizer):
        common = (*DOUBLE, "epochs=2", "batch_size=16", f"optimizer={optimizer}", "lr=0.01")
        penalty = trained(*common, "regularization=[l2]", "regularization.l2.strength=0.2")
        decay = trained(*common, "weight_decay=0.2")
        return max(np.abs(a - b).max() for a, b in zip(weights_of(penalty), weights_of(decay), strict=True))

    assert apart("sgd") < 1e-14
    assert apart("adam") < 1e-14  # torch's Adam sends weight_decay through its moments: it is L2 by another name
    assert apart("adamw") > 1e-3


@pytest.mark.parametrize(
    ("extra", "steps"),
    [(["batch_size=full", "epochs=20"], 20), (["batch_size=14", "epochs=3", "loader.drop_last=true"], 3 * (160 // 14))],
)
def test_how_an_epoch_is_cut(extra, steps):
    run, losses, initial = watched(*DOUBLE, "optimizer=sgd", *extra)
    assert len(losses) == steps == run.parts.steps
    agree(run, losses, by_hand(run, initial, Optimizer("sgd", 0.1), "cross_entropy"))


@pytest.mark.parametrize("samples", [200, 187])
def test_accumulated_minibatches_are_one_large_one(samples):
    def run(*extra):
        return trained(*DOUBLE, "epochs=2", f"dataset.samples={samples}", "regularization=[l2]", *extra)

    small, large = run("batch_size=8", "accumulate=4"), run("batch_size=32")
    assert small.parts.steps == large.parts.steps == 2 * -(-len(large.parts.data.train) // 32)
    for one, other in zip(weights_of(small), weights_of(large), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert small.outcome.metrics["final/train/loss"] == pytest.approx(large.outcome.metrics["final/train/loss"])


# Chunks

ODD = (*TABLE, *NOISY, "batch_size=16", "epochs=2", "dataset.samples=230", "scheduler=cosine")


def bits(run):
    outcome, engine = run.outcome, run.engine
    losses = np.concatenate(engine.losses).tobytes()
    return outcome.weights_sha256, outcome.predictions_sha256, losses, str(engine.history), str(engine.statistics.rows)


@pytest.fixture(scope="module")
def whole():
    return trained(*ODD, "loader.chunk=512")


@pytest.mark.parametrize("loader", [["loader.chunk=1"], ["loader.chunk=7"], ["loader.stream=true"]])
def test_the_chunk_leaves_no_trace(whole, loader):
    assert bits(trained(*ODD, *loader)) == bits(whole)


def test_the_chunk_leaves_no_trace_on_accumulated_steps():
    common = (*ODD, "accumulate=3", "batch_size=10")
    assert bits(trained(*common, "loader.chunk=2")) == bits(trained(*common, "loader.chunk=512"))


def test_another_seed_is_another_training(whole):
    assert trained(*ODD, "seed=1").outcome.weights_sha256 != whole.outcome.weights_sha256


def test_the_seed_decides_initialisation_order_and_noise_but_not_the_split(whole):
    _, other = parts_of(*ODD, "seed=1")
    assert torch.equal(other.data.train.inputs, whole.parts.data.train.inputs)


class Draws(Method):
    """Draws random numbers wherever it can."""

    def after_step(self, parameters):
        torch.rand(5)

    def epoch_end(self, epoch, metrics):
        torch.rand(5)


def test_noise_does_not_depend_on_what_ran_before(whole):
    torch.rand(3)
    run = trained(*ODD, change=lambda parts: changed(parts, methods=[Draws()]))
    assert run.outcome.weights_sha256 == whole.outcome.weights_sha256


def masks(run_of):
    """Which values dropout let through, minibatch by minibatch."""
    seen = []

    def watching(parts):
        layer = next(one for one in parts.engine.model.modules() if isinstance(one, torch.nn.Dropout))
        layer.register_forward_hook(
            lambda module, inputs, output: seen.append((output != 0).numpy().tobytes()) if module.training else None
        )
        return parts

    run_of(watching)
    return seen


def test_every_minibatch_has_its_own_mask():
    common = (*TABLE, "regularization=[dropout]", "model.activation=tanh", "batch_size=32", "epochs=2")
    seen = masks(lambda change: trained(*common, change=change))
    assert len(seen) == len(set(seen)) == 10
    assert seen == masks(lambda change: trained(*common, "lr=0.5", change=change))
    assert not set(seen) & set(masks(lambda change: trained(*common, "seed=1", change=change)))


# Moments


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


# Divergence


def test_a_loss_that_explodes_names_its_step():
    owner = Watched()
    config, parts = parts_of(*TABLE, "optimizer=sgd", "lr=1e6", "loss=mse", "batch_size=16")
    with pytest.raises(Diverged) as refusal:
        fit(config, changed(parts, owner=owner))
    step = next(place for place, loss in enumerate(owner.losses) if not np.isfinite(np.float32(loss)))
    assert f"at step {step} (epoch {step // 10})" in str(refusal.value)
    assert "lr=1e+05" in str(refusal.value) and refusal.value.exit_code == 5 and len(str(refusal.value)) < 200


class Poisoned(Method):
    def __init__(self, at):
        self.at, self.count = at, -1

    def batch_in(self, batch):
        self.count += 1
        return (batch[0] * np.nan, batch[1]) if self.count == self.at else batch


@pytest.mark.parametrize("chunk", [1, 3, 512])
@pytest.mark.parametrize("step", [0, 13])
def test_a_nan_is_named_at_its_step(chunk, step):
    config, parts = parts_of(*TABLE, "batch_size=16", f"loader.chunk={chunk}")
    with pytest.raises(Diverged, match=rf"loss: nan at step {step} \(epoch {step // 10}\)"):
        fit(config, changed(parts, methods=[Poisoned(step)]))


@pytest.mark.parametrize(("validation", "name"), [("0.1", "val/loss"), ("0", "train/loss")])
def test_a_last_step_too_far_is_no_success(validation, name):
    with pytest.raises(Diverged, match=f"{name}: .* at step 0"):
        trained(*TABLE, "optimizer=sgd", "lr=1e38", "batch_size=full", "epochs=1", f"dataset.val_fraction={validation}")


def test_batch_norm_over_a_lone_sample_is_refused():
    with pytest.raises(UsageError, match="batch_size: got 53"):
        parts_of(*TABLE, "batch_size=53", "regularization=[batch_norm]")
    assert trained(*TABLE, "batch_size=53", "epochs=1", "regularization=[batch_norm]", "loader.drop_last=true")


# What Lightning promises

HOOKS = "trainer.callbacks=[{_target_: reference.lightning_callbacks.%s}]"


def test_a_users_callback_without_batch_hooks_sees_the_metrics_and_keeps_the_chunk():
    run = trained(*TABLE, "epochs=2", "batch_size=16", HOOKS % "Watching")
    seen = run.parts.callbacks[0].seen
    hooks = [(hook, epoch, step) for hook, epoch, step, _ in seen]
    assert hooks == [
        ("validation_end", 0, 10),
        ("train_epoch_end", 0, 10),
        ("validation_end", 1, 20),
        ("train_epoch_end", 1, 20),
    ]
    for _, epoch, _, metrics in seen:
        for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
            assert metrics[name] == dict(run.engine.history[name])[epoch]
    assert not run.engine.recipe.hooked and run.engine.recipe.feed.chunk > 1


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_users_batch_hooks_are_served_and_change_nothing(accumulate):
    common = (*ODD, f"accumulate={accumulate}")
    run, plain = trained(*common, HOOKS % "EveryHook"), trained(*common)
    calls, minibatches, steps = run.parts.callbacks[0], 2 * 12, 2 * -(-12 // accumulate)
    assert run.engine.recipe.hooked and run.engine.recipe.feed.chunk == 1
    assert calls.calls == {
        "batch_start": steps,
        "batch_end": steps,
        "before_step": steps,
        "before_backward": minibatches,
        "after_backward": minibatches,
    }
    assert calls.steps == list(range(1, steps + 1))
    np.testing.assert_allclose(calls.rates, [5e-4 * (1 + np.cos(np.pi * k / steps)) for k in range(steps)])
    assert bits(run) == bits(plain) and run.trainer.global_step == plain.trainer.global_step == steps


def test_lightnings_own_early_stopping():
    callback = "{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/loss, patience: 2, mode: min}"
    common = (*TABLE, "epochs=40", "lr=0.1")
    run = trained(*common, f"trainer.callbacks=[{callback}]")
    ours = trained(*common, "regularization=[early_stopping]", *_stopping("val/loss", 2))
    assert run.outcome.epochs == ours.outcome.epochs < 40
    assert run.outcome.weights_sha256 == ours.outcome.weights_sha256


def _stopping(monitor, patience):
    node = "regularization.early_stopping"
    return f"{node}.monitor={monitor}", f"{node}.patience={patience}"


@pytest.mark.parametrize(
    ("extra", "steps"),
    [([], 20), (["loader.chunk=3"], 20), (["accumulate=4"], 6), (["loader.drop_last=true", "batch_size=15"], 20)],
)
def test_global_step(extra, steps):
    run = trained(*TABLE, "epochs=2", "batch_size=16", *extra)
    assert run.trainer.global_step == run.engine.steps_done == run.parts.steps == steps
    assert sum(map(len, run.engine.losses)) == steps


def test_every_step_goes_to_the_sink():
    points = []

    def listening(parts):
        parts.engine.step_sink = lambda name, values, first: points.extend(enumerate(values.tolist(), first))
        return parts

    run = trained(*ODD, "loader.chunk=5", change=listening)
    assert points == list(enumerate(np.concatenate(run.engine.losses).tolist()))


# Signals


class Kills(Method):
    def __init__(self, number, after, times=1):
        self.number, self.after, self.times, self.steps = number, after, times, 0

    def after_step(self, parameters):
        self.steps += 1
        if self.steps == self.after:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_after_its_minibatch(number, code):
    before = signal.getsignal(number)
    config, parts = parts_of(*TABLE, "batch_size=16", "loader.chunk=512")
    parts = changed(parts, methods=[Kills(number, after=13)])
    with pytest.raises(Interrupted) as end:
        fit(config, parts)
    assert end.value.exit_code == code
    assert parts.engine.steps_done == 13 == sum(map(len, parts.engine.losses))
    assert [epoch for epoch, _ in parts.engine.history["train/loss"]] == [0]
    assert signal.getsignal(number) == before


def test_a_signal_between_lightnings_batches():
    callback = f"{{_target_: reference.lightning_callbacks.SendsSignal, number: {int(signal.SIGTERM)}, after: 3}}"
    config, parts = parts_of(*TABLE, "batch_size=16", f"trainer.callbacks=[{callback}]")
    with pytest.raises(Interrupted):
        fit(config, parts)
    assert parts.engine.steps_done == 4


def test_a_second_signal_does_not_wait():
    method = Kills(signal.SIGTERM, after=3, times=2)
    config, parts = parts_of(*TABLE, "batch_size=16")
    parts = changed(parts, methods=[method])
    with pytest.raises(Interrupted):
        fit(config, parts)
    assert method.steps == 3 and not parts.engine.losses  # the chunk was left where it stood


def test_a_run_that_is_not_interrupted_leaves_the_handlers_alone():
    before = signal.getsignal(signal.SIGINT)
    trained(*TABLE, "epochs=1")
    assert signal.getsignal(signal.SIGINT) == before


# Evaluation


def test_the_test_split_is_read_once_and_last(monkeypatch):
    read = []
    original = Engine.evaluation_loader

    def spying(engine, split):
        named = {id(engine.data.train): "train", id(engine.data.val): "val", id(engine.data.test): "test"}
        read.append((named[id(split)], engine.trainer.state.fn.value))
        return original(engine, split)

    monkeypatch.setattr(Engine, "evaluation_loader", spying)
    trained(*TABLE, "epochs=3")
    assert [name for name, _ in read].count("test") == 1 and read[-1][0] == "test"
    assert read[0] == ("val", "fit")


def test_the_test_split_decides_nothing():
    def shuffled(parts):
        parts.data.test.inputs.copy_(torch.randn_like(parts.data.test.inputs))
        return parts

    run, other = trained(*TABLE, "epochs=3"), trained(*TABLE, "epochs=3", change=shuffled)
    assert run.outcome.weights_sha256 == other.outcome.weights_sha256
    assert run.outcome.metrics["test/loss"] != other.outcome.metrics["test/loss"]


def test_losses_under_autocast_are_summed_in_full_precision():
    run = trained("epochs=1", "precision=bf16-mixed")
    loss = run.engine.history["val/loss"][0][1]
    assert loss != float(torch.tensor(loss).bfloat16())
