"""The engine's first twenty steps on digits beside a perceptron that learns by the delta rule, in double precision."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from descent.regularization.method import StepOwner
from descent.reproducibility import epoch_order
from reference.delta_rule import DeltaRule
from reference.trained import changed, fit, parts_of

STEPS = 20


class Remembering(StepOwner):
    """The ordinary step; keeps the loss before and the weights after each of the first twenty."""

    def __init__(self, model):
        self.model, self.losses, self.weights = model, [], []

    def step(self, gradients, optimizer):
        loss = super().step(gradients, optimizer)
        if len(self.losses) < STEPS:
            self.losses.append(float(loss))
            self.weights.append([parameter.detach().numpy().copy() for parameter in self.model.parameters()])
        return loss


def scaled(training):
    """Sixteen greys by the one mean and deviation of the training images, which the product keeps in float32."""
    mean, deviation = np.float64(np.float32(training.mean())), np.float64(np.float32(training.std()))
    return (training - mean) / deviation


@pytest.mark.parametrize("batch_size", [32, 50])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_the_first_twenty_steps_on_digits(activation, batch_size):
    config, parts = parts_of(
        "dataset=digits",
        "model.hidden=[32,16]",
        f"model.activation={activation}",
        "optimizer=sgd",
        "lr=0.2",
        f"batch_size={batch_size}",
        "epochs=1",
        "precision=64",
        "restore=last",
    )
    start = [parameter.detach().double().numpy().copy() for parameter in parts.engine.model.parameters()]
    owner = Remembering(parts.engine.model)
    run = fit(config, changed(parts, owner=owner))

    data = run.parts.data.train
    known = {image.tobytes() for image in load_digits().images.astype(np.uint8)}
    assert {image.tobytes() for image in data.inputs.numpy()} <= known
    inputs = scaled(data.inputs.numpy().reshape(len(data), 64).astype(np.float64))
    labels, order = data.targets.numpy(), epoch_order(config.seed, 0, len(data)).numpy()
    rule = DeltaRule(start, activation, config.lr)
    for step in range(STEPS):
        rows = order[step * batch_size : (step + 1) * batch_size]
        loss = rule.step(inputs[rows], labels[rows])
        assert owner.losses[step] == pytest.approx(loss, rel=1e-9)
        for ours, theirs in zip(owner.weights[step], (one for layer in rule.layers for one in layer), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert owner.losses[-1] < owner.losses[0]
