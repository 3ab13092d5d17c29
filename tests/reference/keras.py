"""Keras's two callbacks of the worked examples, from its documentation, for a metric that should fall."""

from dataclasses import dataclass


@dataclass
class ReduceLROnPlateau:
    """factor, patience, min_delta=1e-4, cooldown=0, min_lr=0."""

    lr: float
    factor: float
    patience: int
    min_delta: float = 1e-4
    best: float = float("inf")
    wait: int = 0

    def on_epoch_end(self, value: float) -> None:
        if value < self.best - self.min_delta:
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.lr *= self.factor
            self.wait = 0


@dataclass
class EarlyStopping:
    """patience, min_delta=0, restore_best_weights=False: the weights stay the last epoch's."""

    patience: int
    best: float = float("inf")
    wait: int = 0
    stopped: bool = False

    def on_epoch_end(self, epoch: int, value: float) -> None:
        self.wait += 1
        if value < self.best:
            self.best, self.wait = value, 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped = True


def article(values: list[float], lr: float) -> list[float]:
    """The rate of every epoch that is trained: early stopping 3 beside a plateau of 0.1 after 2."""
    plateau, stopping, rates = ReduceLROnPlateau(lr, 0.1, 2), EarlyStopping(3), []
    for epoch, value in enumerate(values):
        if stopping.stopped:
            break
        rates.append(plateau.lr)
        plateau.on_epoch_end(value)
        stopping.on_epoch_end(epoch, value)
    return rates
