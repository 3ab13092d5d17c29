"""What Lightning promises its callbacks and its users."""

import numpy as np
import pytest

from reference.stepped import ODD, bits
from reference.trained import TABLE, trained

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
