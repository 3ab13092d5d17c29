"""Steps as the engine makes them beside the same ones made by hand, in NumPy and double precision."""

import numpy as np

from descent.regularization.method import StepOwner
from descent.reproducibility import epoch_order
from reference.by_hand import Perceptron, clipped, standardised
from reference.trained import NOISY, TABLE, changed, fit, parts_of

DOUBLE = (*TABLE, "precision=64", "restore=last", "model.activation=tanh")
ODD = (*TABLE, *NOISY, "batch_size=16", "epochs=2", "dataset.samples=230", "scheduler=cosine")


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


def by_hand(run, parameters, optimizer, loss, penalty=0.0, longest=None, sizes=None, rates=None):
    """The same training in NumPy; only the order of the samples is the product's. Sizes and rates may be an epoch's."""
    config, data = run.config, run.parts.data.train
    raw, targets = data.inputs.double().numpy(), data.targets.numpy()
    inputs = standardised(raw, raw)
    network = Perceptron(parameters, config.model.settings["activation"])
    losses = []
    for epoch in range(config.epochs):
        size = sizes[epoch] if sizes else run.engine.recipe.feed.batch_size
        optimizer.lr = rates[epoch] if rates else optimizer.lr
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


def bits(run):
    outcome, engine = run.outcome, run.engine
    losses = np.concatenate(engine.losses).tobytes()
    return outcome.weights_sha256, outcome.predictions_sha256, losses, str(engine.history), str(engine.statistics.rows)
