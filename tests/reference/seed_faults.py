"""Callbacks that harm the training of one seed and leave the others alone."""

import os
import signal

import pytorch_lightning as pl
import torch


class Spoils(pl.Callback):
    """Its weights are no numbers from the beginning: the training diverges at its first step."""

    def __init__(self, seeds):
        self.seeds = seeds

    def on_fit_start(self, trainer, module):
        if module.recipe.feed.seed in self.seeds:
            with torch.no_grad():
                next(module.model.parameters()).fill_(torch.nan)


class Interrupts(pl.Callback):
    """A signal at the end of its first epoch, to the process itself."""

    def __init__(self, seed):
        self.seed = seed

    def on_train_epoch_end(self, trainer, module):
        if module.recipe.feed.seed == self.seed:
            os.kill(os.getpid(), signal.SIGINT)
