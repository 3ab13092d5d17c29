"""A multilayer perceptron and its optimizers in NumPy float64, from the textbook's formulas."""

from dataclasses import dataclass, field

import numpy as np

ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}


def cross_entropy(outputs, classes):
    """Mean of -log softmax, and its derivative by the outputs."""
    shifted = outputs - outputs.max(1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    rows = np.arange(len(classes))
    code = np.zeros_like(outputs)
    code[rows, classes] = 1
    return -np.log(probabilities[rows, classes]).mean(), (probabilities - code) / len(classes)


def squared_error(outputs, targets):
    """Mean over samples and outputs, classes as their one-hot code."""
    wanted = np.eye(outputs.shape[1])[targets] if targets.ndim == 1 else targets
    return ((outputs - wanted) ** 2).mean(), 2 * (outputs - wanted) / outputs.size


LOSSES = {"cross_entropy": cross_entropy, "mse": squared_error}


@dataclass
class Perceptron:
    """Weights as PyTorch lays them out (outputs x inputs), then the bias, layer by layer."""

    parameters: list[np.ndarray]
    activation: str = "relu"

    def forward(self, x):
        act = ACTIVATIONS[self.activation][0]
        self._inputs, self._before = [], []
        layers = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        for number, (weight, bias) in enumerate(layers):
            self._inputs.append(x)
            z = x @ weight.T + bias
            self._before.append(z)
            x = act(z) if number < len(layers) - 1 else z
        return x

    def gradients(self, x, targets, loss):
        value, flowing = LOSSES[loss](self.forward(x), targets)
        slope = ACTIVATIONS[self.activation][1]
        gradients = []
        for number in reversed(range(len(self._inputs))):
            if number < len(self._inputs) - 1:
                flowing = flowing * slope(self._before[number])
            gradients = [flowing.T @ self._inputs[number], flowing.sum(0), *gradients]
            flowing = flowing @ self.parameters[2 * number]
        return value, gradients


@dataclass
class Optimizer:
    """One step of the named rule; decay acts on matrices only."""

    rule: str
    lr: float
    decay: float = 0.0
    momentum: float = 0.9
    dampening: float = 0.0
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    steps: int = 0
    memory: dict = field(default_factory=dict)

    def step(self, parameters, gradients):
        self.steps += 1
        for place, (w, g) in enumerate(zip(parameters, gradients, strict=True)):
            decay = self.decay if w.ndim > 1 else 0.0
            if self.rule == "adamw":
                w -= self.lr * decay * w
            else:
                g = g + decay * w
            w -= self.lr * getattr(self, f"_{self.rule}")(place, g)

    def _sgd(self, place, g):
        return g

    def _momentum(self, place, g):
        velocity = self.momentum * self.memory[place] + (1 - self.dampening) * g if place in self.memory else g
        self.memory[place] = velocity
        return g + self.momentum * velocity if self.nesterov else velocity

    def _adam(self, place, g):
        mean, square = self.memory.get(place, (0.0, 0.0))
        mean = self.beta1 * mean + (1 - self.beta1) * g
        square = self.beta2 * square + (1 - self.beta2) * g**2
        self.memory[place] = mean, square
        corrected = mean / (1 - self.beta1**self.steps)
        return corrected / (np.sqrt(square / (1 - self.beta2**self.steps)) + self.eps)

    _adamw = _adam


def clipped(gradients, longest):
    """The whole gradient, no longer than that."""
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    return [g * min(1.0, longest / (norm + 1e-6)) for g in gradients]


def standardised(x, training):
    """By the training rows' mean and deviation of each column, which the product keeps in float32."""
    mean, deviation = (np.float64(np.float32(value)) for value in (training.mean(0), training.std(0)))
    return (x - mean) / deviation
