"""What an exported model answers: probabilities of classes, or the numbers that it predicts."""

from torch import Tensor, nn

from descent.tasks.ranking import probabilities


class Probabilities(nn.Module):
    """P(class) of a network's outputs, a column a class."""

    def forward(self, outputs: Tensor) -> Tensor:
        return probabilities(outputs)


def answer(task: str) -> nn.Module:
    """The last layer of a model that others load."""
    return Probabilities() if task == "classification" else nn.Identity()
