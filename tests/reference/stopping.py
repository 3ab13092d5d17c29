"""A callback that ends or stops its process once, at a known place."""

import os
from pathlib import Path

import pytorch_lightning as pl


class StopsOnce(pl.Callback):
    """Sends this process a signal at the end of an epoch if the mark is there; in one directory, where it is named."""

    def __init__(self, number, epoch, mark, directory=None):
        self.number, self.epoch, self.mark, self.directory = number, epoch, Path(mark), directory

    def on_train_epoch_end(self, trainer, module):
        here = self.directory in (None, Path(trainer.default_root_dir).name)
        if here and trainer.current_epoch == self.epoch and self.mark.exists():
            self.mark.unlink()
            os.kill(os.getpid(), self.number)
