"""A signal ends a run after its minibatch, and the second one at once."""

import os
import signal

import pytest

from descent.errors import Interrupted
from descent.regularization.method import Method
from reference.trained import TABLE, changed, fit, parts_of, trained


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
