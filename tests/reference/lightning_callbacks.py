"""Callbacks as a Lightning user would write them."""

import os
from collections import Counter

import pytorch_lightning as pl


class Watching(pl.Callback):
    """What the hooks of an epoch see; it has no per-batch hook."""

    def __init__(self):
        self.seen = []

    def on_validation_end(self, trainer, module):
        self._note("validation_end", trainer)

    def on_train_epoch_end(self, trainer, module):
        self._note("train_epoch_end", trainer)

    def _note(self, hook, trainer):
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.seen.append((hook, trainer.current_epoch, trainer.global_step, metrics))


class EveryHook(pl.Callback):
    """Counts Lightning's per-batch hooks and notes the rate and the step that they see."""

    def __init__(self):
        self.calls, self.rates, self.steps = Counter(), [], []

    def on_train_batch_start(self, trainer, module, batch, index):
        self.calls["batch_start"] += 1

    def on_before_backward(self, trainer, module, loss):
        self.calls["before_backward"] += 1

    def on_after_backward(self, trainer, module):
        self.calls["after_backward"] += 1

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.calls["before_step"] += 1
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.calls["batch_end"] += 1
        self.steps.append(trainer.global_step)


class SendsSignal(pl.Callback):
    """Sends this process a signal after one batch."""

    def __init__(self, number, after):
        self.number, self.after = number, after

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        if index == self.after:
            os.kill(os.getpid(), self.number)
