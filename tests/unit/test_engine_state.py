"""A training that is cut at any step and goes on is, to the last bit, the one that was never cut."""

import random
from contextlib import contextmanager

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from descent.errors import Diverged, Interrupted
from descent.regularization.method import Method, StepOwner
from descent.watching import Telling
from reference.resumed import SHORT, cut, newest, result_of, sitting
from reference.trained import NOISY, changed

EARLY = ("regularization=[early_stopping,dropout]", "regularization.early_stopping.patience=1", "epochs=9", "lr=0.3")
HOOKS = "trainer.callbacks=[{_target_: reference.lightning_callbacks.%s}]"
WAYS = {
    "chunks": (),
    "chunks of three": ("loader.chunk=3",),
    "single steps": ("loader.chunk=1",),
    "Lightning's hooks": (HOOKS % "EveryHook", *NOISY),
    "accumulated": ("accumulate=3",),
    "accumulated chunks": ("accumulate=2", "loader.chunk=2"),
    "full batch": ("batch_size=full", "epochs=12"),
    "a tail dropped": ("loader.drop_last=true", "batch_size=15"),
    "streaming": ("loader.stream=true",),
    "streaming from other processes": ("loader.stream=true", "loader.workers=2", "epochs=2"),
    "noise": NOISY,
    "convolutions": ("model=cnn", "model.channels=[4]", "dataset.kind=image", "dataset.shape=[1,4,4]", *NOISY),
    "a recurrent network": ("model=lstm", "model.hidden=4", "model.layers=2", "regularization=[dropout]"),
    "branches left out": (
        "model=resnet",
        "model.channels=[4,4]",
        "dataset.kind=image",
        "dataset.shape=[1,4,4]",
        "regularization=[stochastic_depth]",
    ),
    "momentum and cosine": ("optimizer=momentum", "scheduler=cosine", "scheduler.interval=step"),
    "plateau": ("scheduler=plateau", "scheduler.patience=1", "lr=0.1"),
    "a warm-up in front of a plateau": ("scheduler=plateau", "scheduler.patience=1", "scheduler.warmup=14", "lr=0.1"),
    "a warm-up in front of a cosine": ("scheduler=cosine", "scheduler.warmup=1", "scheduler.warmup_interval=epoch"),
    "growing minibatches": (
        "batch_growth=milestones",
        "batch_growth.milestones=[1,2]",
        "batch_growth.scale_lr=linear",
        "scheduler=cosine",
        *NOISY,
    ),
    "growing at plateaus": (
        "batch_growth=plateau",
        "batch_growth.patience=1",
        "batch_growth.scale_lr=sqrt",
        "epochs=5",
        "lr=1e-9",
        "checkpoint.every=4",
    ),
    "growing, accumulated and streamed": (
        "batch_growth=milestones",
        "batch_growth.milestones=[1,3]",
        "accumulate=2",
        "loader.stream=true",
        "checkpoint.every=3",
        "epochs=4",
    ),
    "curvature": ("optimizer=lbfgs", "optimizer.max_iter=3", "batch_size=64"),
    "curvature under hooks": ("optimizer=lbfgs", "optimizer.max_iter=3", "batch_size=64", HOOKS % "EveryHook"),
    "two optimizers in one": ("optimizer=muon",),
    "signs": ("optimizer=lion", "weight_decay=0.1"),
    "step sizes": ("optimizer=rprop", "batch_size=64"),
    "an average beside the weights": ("optimizer=asgd", "optimizer.t0=5", "optimizer.lambd=0.1"),
    "rows and columns": ("optimizer=adafactor",),
    "momenta that warm up": ("optimizer=nadam",),
    "early stopping": EARLY,
    "decay in two groups": ("optimizer=adamw", "weight_decay=0.1"),
    "last weights": ("restore=last",),
    "no validation": ("dataset.val_fraction=0",),
    "rare validation": ("trainer.check_val_every_n_epoch=2",),
    "regression": ("dataset.task=regression", "loader.chunk=3"),
    "double precision": ("precision=64",),
    "bfloat16": ("precision=bf16-mixed", *NOISY),
    "many small epochs": ("dataset.samples=40", "epochs=9"),
    "checkpoints between": ("checkpoint.every=4", *NOISY),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_was_cut_is_the_one_that_was_not(tmp_path, way):
    of_its_own = any(one.startswith("model=") for one in WAYS[way])
    ours = [one for one in SHORT if not (of_its_own and one.startswith("model"))]
    overrides = (*ours, *WAYS[way])
    whole = result_of(sitting(tmp_path / "whole", *overrides))
    assert whole.steps >= 9
    for step in sorted({1, whole.steps // 3, whole.steps // 2, whole.steps - 1}):
        assert cut(tmp_path / str(step), step, *overrides) == step
        assert result_of(sitting(tmp_path / str(step), *overrides)) == whole


def test_cut_at_every_step_one_after_another(tmp_path):
    overrides = (*SHORT, *NOISY, "loader.chunk=4", "scheduler=plateau")
    whole = result_of(sitting(tmp_path / "whole", *overrides))
    for step in range(1, whole.steps):
        assert cut(tmp_path / "cut", 1, *overrides) == step
    assert result_of(sitting(tmp_path / "cut", *overrides)) == whole


# What others bring along


class Averaged(Method):
    """Evaluates with a running average of the weights, which is state."""

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

    def state_dict(self):
        return {"average": self.average}

    def load_state_dict(self, state):
        self.average = list(state["average"])


class TwoPasses(StepOwner):
    """Steps from weights that the first pass has moved, the further the more steps it has made."""

    def __init__(self):
        self.steps = 0

    def step(self, gradients, optimizer):
        gradients()
        self.steps += 1
        with torch.no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.add_(parameter.grad, alpha=1e-3 * self.steps)
        return super().step(gradients, optimizer)

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


@pytest.mark.parametrize(
    "bring", [lambda: {"methods": [Averaged()]}, lambda: {"owner": TwoPasses()}], ids=["a method", "two passes"]
)
def test_state_that_a_method_or_an_owner_brings(tmp_path, bring):
    def change(parts):
        return changed(parts, **bring())

    overrides = (*SHORT, *NOISY, "loader.chunk=4")
    whole = result_of(sitting(tmp_path / "whole", *overrides, change=change))
    for step in (7, 10, 20):
        cut(tmp_path / str(step), step, *overrides, change=change)
        assert result_of(sitting(tmp_path / str(step), *overrides, change=change)) == whole


@pytest.mark.parametrize("is_seen", [(True, False), (False, True)], ids=["goes", "comes"])
def test_who_only_looks_on_may_come_and_go(tmp_path, is_seen):
    """A grid's point is told of by a worker, and gone on with where nobody is told."""
    heard = []

    def seen(parts):
        telling = Telling("val/loss", 3, lambda *told: heard.append(told))
        return changed(parts, methods=[Averaged(), telling])

    def unseen(parts):
        return changed(parts, methods=[Averaged()])

    first, then = (seen if one else unseen for one in is_seen)
    whole = result_of(sitting(tmp_path / "whole", *SHORT, change=unseen))
    cut(tmp_path / "cut", 17, *SHORT, change=first)
    assert result_of(sitting(tmp_path / "cut", *SHORT, change=then)) == whole
    assert [told[:2] for told in heard] == ([(1, 3)] if is_seen[0] else [(2, 3), (3, 3)])


class Gambler(pl.Callback):
    """Draws from every generator at every end of an epoch, and remembers how often."""

    def __init__(self):
        self.draws = []

    def on_train_epoch_start(self, trainer, module):
        self.draws.append((random.random(), float(np.random.rand()), float(torch.rand(()))))

    def state_dict(self):
        return {"draws": self.draws}

    def load_state_dict(self, state):
        self.draws = [tuple(drawn) for drawn in state["draws"]]


def gambling(directory, *overrides, run=sitting):
    gambler = Gambler()

    def change(parts):
        parts.callbacks.append(gambler)
        return parts

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    run(directory, *overrides, change=change)
    return gambler.draws


@pytest.mark.parametrize("extra", [[], ["loader.stream=true"]])
def test_a_users_draws_and_state_go_on(tmp_path, extra):
    """Between epochs. An epoch that is resumed in its middle begins once more for callbacks: one draw more."""
    overrides = (*SHORT, "checkpoint.seconds=0", *extra)
    whole = gambling(tmp_path / "whole", *overrides)
    for step in (10, 15):

        def stopped(directory, *overrides, change, after=step):
            cut(directory, after, *overrides, change=change)

        gambling(tmp_path / str(step), *overrides, run=stopped)
        again = gambling(tmp_path / str(step), *overrides)
        assert [draw for draw in dict.fromkeys(again) if draw in whole] == whole and len(again) == len(whole) + 1


# The end, and beyond it


@pytest.mark.parametrize("way", [(), EARLY, ("restore=last",), ("dataset.val_fraction=0",)])
def test_a_complete_training_goes_on_to_its_end_without_a_step(tmp_path, way):
    def stepless(parts):
        return changed(parts, owner=NeverSteps())

    whole = sitting(tmp_path, *SHORT, *way)
    left = newest(tmp_path)
    again = sitting(tmp_path, *SHORT, *way, change=stepless)
    assert result_of(again) == result_of(whole)
    assert newest(tmp_path) == left and again.engine.seconds_before > 0


class NeverSteps(StepOwner):
    def step(self, gradients, optimizer):
        raise AssertionError("nothing is left to train")


def test_lightnings_own_early_stopping_has_ended_it_too(tmp_path):
    callback = "{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/loss, patience: 1, mode: min}"
    overrides = (*SHORT, "epochs=30", "lr=0.3", f"trainer.callbacks=[{callback}]")
    whole = sitting(tmp_path, *overrides)
    assert whole.outcome.epochs < 30
    again = sitting(tmp_path, *overrides, change=lambda parts: changed(parts, owner=NeverSteps()))
    assert result_of(again) == result_of(whole)


@pytest.mark.parametrize(
    "schedule", [("scheduler=plateau", "scheduler.patience=1"), ("scheduler=step", "scheduler.every=7")]
)
def test_more_epochs_go_on_from_the_last_weights(tmp_path, schedule):
    """A schedule that does not look at the total is the same as if the total had been so from the first."""
    overrides = (*SHORT, *NOISY, *schedule, "lr=0.1")
    sitting(tmp_path / "extended", *overrides, "epochs=4")  # reports the best epoch's weights, goes on from the last
    longer, whole = sitting(tmp_path / "extended", *overrides, "epochs=7"), sitting(tmp_path, *overrides, "epochs=7")
    assert result_of(longer).weights == result_of(whole).weights
    assert longer.engine.history == whole.engine.history


def test_more_epochs_after_an_early_end_train_more(tmp_path):
    overrides = (*SHORT, *EARLY, "regularization.early_stopping.patience=2")
    ended = sitting(tmp_path, *overrides)
    assert ended.outcome.epochs < 9
    longer = sitting(tmp_path, *overrides, "epochs=11")
    assert longer.outcome.epochs > ended.outcome.epochs
    assert longer.engine.history["train/loss"][: ended.outcome.epochs] == ended.engine.history["train/loss"]


def test_a_cosine_is_computed_for_the_new_total(tmp_path):
    overrides = (*SHORT, "scheduler=cosine", "scheduler.interval=epoch", "scheduler.minimum=0", "lr=1")
    sitting(tmp_path, *overrides, "epochs=2")
    rates = dict(sitting(tmp_path, *overrides, "epochs=5").engine.history["train/lr"])
    expected = [(1 + np.cos(np.pi * epoch / total)) / 2 for epoch, total in enumerate((2, 2, 5, 5, 5))]
    np.testing.assert_allclose([rates[epoch] for epoch in range(5)], expected, rtol=1e-12)


def test_seconds_are_those_of_all_sittings(tmp_path):
    cut(tmp_path, 15, *SHORT)
    before = torch.load(newest(tmp_path), weights_only=True)["descent"]["seconds"]
    run = sitting(tmp_path, *SHORT)
    assert run.outcome.seconds > before == run.engine.seconds_before > 0


# Signals at odd moments


class Signals(pl.Callback):
    """A signal in one hook of one epoch."""

    def __init__(self, hook, epoch):
        self.epoch = epoch
        setattr(self, hook, self._send)

    def _send(self, trainer, module, *rest):
        if trainer.current_epoch == self.epoch:
            module.interrupted = 15


MOMENTS = (
    "on_train_start",
    "on_train_epoch_start",
    "on_validation_epoch_start",
    "on_validation_batch_end",
    "on_validation_epoch_end",
    "on_validation_end",
    "on_train_epoch_end",
)


@pytest.mark.parametrize("hook", MOMENTS)
def test_a_signal_outside_the_steps(tmp_path, hook):
    overrides = (*SHORT, *NOISY)
    whole = result_of(sitting(tmp_path / "whole", *overrides))

    def interrupting(parts):
        parts.callbacks.append(Signals(hook, 0 if hook == "on_train_start" else 1))
        return parts

    with pytest.raises(Interrupted):
        sitting(tmp_path / "cut", *overrides, change=interrupting)
    again = sitting(tmp_path / "cut", *overrides)
    assert result_of(again) == whole


# Divergence


class Explodes(StepOwner):
    """The last step of the first epoch leaves weights that are not finite; its own loss does not show it."""

    def __init__(self, at):
        self.at, self.steps = at, 0

    def step(self, gradients, optimizer):
        loss = super().step(gradients, optimizer)
        self.steps += 1
        if self.steps == self.at:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].fill_(float("nan"))
        return loss


def test_weights_that_are_not_finite_do_not_replace_good_ones(tmp_path):
    overrides = (*SHORT, "dataset.val_fraction=0", "checkpoint.seconds=0", "checkpoint.every=3")
    with pytest.raises(Diverged):
        sitting(tmp_path, *overrides, change=lambda parts: changed(parts, owner=Explodes(9)))
    names = sorted(path.name[5:15] for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["0000000003", "0000000006"]
