"""A multilayer perceptron that learns by the delta rule, sample by sample, in NumPy float64.

Output: delta = p - t. Hidden: delta = (W' delta) * g'(z). Step: w -= lr * mean over the minibatch of delta x'.
"""

import numpy as np

HIDDEN = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda a: np.where(a > 0, 1.0, 0.0)),
}


class DeltaRule:
    """Layers as pairs [weight, bias]; slopes are taken from the activations, as the rule is taught."""

    def __init__(self, parameters, activation, lr):
        arrays = [np.array(one, dtype=np.float64) for one in parameters]
        self.layers = list(zip(arrays[::2], arrays[1::2], strict=True))
        self.act, self.slope = HIDDEN[activation]
        self.lr = lr

    def forward(self, x):
        """The activations of every layer, the input first, the probabilities last."""
        seen = [x]
        for weight, bias in self.layers[:-1]:
            seen.append(self.act(weight @ seen[-1] + bias))
        weight, bias = self.layers[-1]
        raised = np.exp(weight @ seen[-1] + bias)
        return [*seen, raised / raised.sum()]

    def deltas(self, seen, label):
        delta = seen[-1].copy()
        delta[label] -= 1
        found = [delta]
        for (weight, _), activation in zip(self.layers[:0:-1], seen[-2:0:-1], strict=True):
            delta = (weight.T @ delta) * self.slope(activation)
            found.insert(0, delta)
        return found

    def step(self, inputs, labels):
        """One minibatch; returns its mean cross-entropy before the step."""
        change = [(np.zeros_like(weight), np.zeros_like(bias)) for weight, bias in self.layers]
        loss = 0.0
        for x, label in zip(inputs, labels, strict=True):
            seen = self.forward(x)
            loss -= np.log(seen[-1][label])
            for (weights, biases), delta, before in zip(change, self.deltas(seen, label), seen[:-1], strict=True):
                weights += np.outer(delta, before)
                biases += delta
        for (weight, bias), (weights, biases) in zip(self.layers, change, strict=True):
            weight -= self.lr * weights / len(labels)
            bias -= self.lr * biases / len(labels)
        return loss / len(labels)
