"""The article's early stopping and plateau together, as Keras has them: on made sequences and in real trainings."""

import numpy as np
import pytest
import torch
from torch import nn, optim

from descent.optim.plateau import Plateau
from descent.regularization.early_stopping import EarlyStopping
from reference.keras import article
from reference.trained import TABLE, trained

ARTICLE = [
    "regularization=[early_stopping]",
    "regularization.early_stopping.monitor=val/loss",
    "regularization.early_stopping.patience=3",
    "scheduler=plateau",
    "scheduler.monitor=val/loss",
    "scheduler.factor=0.1",
    "scheduler.patience=2",
    "restore=last",
]


def ours(values, lr):
    plateau, stopping = Plateau("x", "minimize", 0.1, 2, 1e-4, 0.0, "epoch"), EarlyStopping("x", "minimize", 3, 0.0)
    rates = []
    for epoch, value in enumerate(values):
        rates.append(lr * plateau.factor(epoch, len(values)))
        plateau.epoch_end({"x": value})
        if stopping.epoch_end(epoch, {"x": value}):
            break
    return rates


def naive(values, lr):
    """torch's plateau, which cuts when patience is exceeded: only as early stopping 3 ends the run."""
    optimizer = optim.SGD([nn.Parameter(torch.zeros(()))], lr)
    schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2, threshold_mode="abs")
    stopping, rates = EarlyStopping("x", "minimize", 3, 0.0), []
    for epoch, value in enumerate(values):
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step(value)
        if stopping.epoch_end(epoch, {"x": value}):
            break
    return rates


@pytest.mark.parametrize("seed", range(40))
def test_on_random_walks(seed):
    draw = np.random.default_rng(seed)
    steps = draw.choice([-0.05, -5e-5, 0.0, 5e-5, 0.03], size=30, p=[0.35, 0.2, 0.1, 0.1, 0.25])
    values = list(1 + np.cumsum(steps))
    np.testing.assert_allclose(ours(values, 1e-3), article(values, 1e-3))


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ([5, 4, 3, 2, 1], [1, 1, 1, 1, 1]),
        ([3, 4, 4, 4, 1], [1, 1, 1, 0.1]),  # cut after two bad epochs, ended after three
        ([3, 4, 4, 2, 3, 3, 1, 0.5], [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ([3, 3 - 5e-5, 3 - 10e-5, 3 - 15e-5], [1, 1, 1, 0.1]),  # too little for one, enough for the other
    ],
)
def test_by_hand(values, rates):
    np.testing.assert_allclose(ours(values, 1.0), rates)
    np.testing.assert_allclose(article(values, 1.0), rates)


def test_torchs_own_plateau_would_come_too_late():
    assert naive([3, 4, 4, 4, 1], 1.0) == [1, 1, 1, 1] != ours([3, 4, 4, 4, 1], 1.0)


@pytest.fixture(scope="module")
def runs():
    """Noise that is learnt by heart: validation loss turns, the rate falls, the training ends."""
    noisy = (*TABLE, "dataset.noise=4", "model.hidden=[32]", "epochs=40", "lr=0.01", *ARTICLE)
    return [trained(*noisy, f"seed={seed}") for seed in range(4)]


def test_in_real_trainings(runs):
    for run in runs:
        history = {name: [value for _, value in rows] for name, rows in run.engine.history.items()}
        expected = article(history["val/loss"], 0.01)
        np.testing.assert_allclose(history["train/lr"], expected, rtol=1e-12)
        assert len(history["val/loss"]) == len(expected) < 40


def test_both_have_acted(runs):
    cuts = [len({value for _, value in run.engine.history["train/lr"]}) - 1 for run in runs]
    assert max(cuts) >= 1 and all("has not improved" in run.outcome.stopped_because for run in runs)


def test_the_last_weights_are_the_ones_reported(runs):
    for run in runs:
        assert run.outcome.epoch == len(run.engine.history["val/loss"]) - 1
