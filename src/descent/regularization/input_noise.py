"""Noise on the inputs."""

import torch

from descent.regularization.method import Batch, Method


class InputNoise(Method):
    """Adds N(0, deviation^2) to every input of a training minibatch; inputs have been scaled to deviation 1."""

    rank = 40

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def batch_in(self, batch: Batch) -> Batch:
        inputs, targets = batch
        return inputs + self.deviation * torch.randn_like(inputs), targets
