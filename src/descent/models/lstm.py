"""The long short-term memory, for whatever reads as a sequence."""

from collections.abc import Sequence

from torch import Tensor, nn

from descent.models.initialisation import initialise
from descent.models.layers import dropped


class LSTM(nn.Module):
    """Layers of LSTM cells over a sequence, then a linear output from its last state or from the mean of all states.

    An image is read row by row, all channels of a row at once; a table's row column by column; [steps, features] as is.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        dropout: float = 0.0,
        init: str = "default",
    ) -> None:
        super().__init__()
        self.directions = 2 if bidirectional else 1
        self.pooling = pooling
        self.lstm = nn.LSTM(
            features_of(input_shape),
            hidden,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.head = nn.Sequential(*dropped(dropout), nn.Linear(self.directions * hidden, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        states, (last, _) = self.lstm(sequence(inputs))
        if self.pooling == "mean":
            return self.head(states.mean(1))  # type: ignore[no-any-return]
        return self.head(last[-self.directions :].transpose(0, 1).flatten(1))  # type: ignore[no-any-return]


def features_of(input_shape: Sequence[int]) -> int:
    """The numbers of one step, of samples of this shape."""
    if len(input_shape) == 3:
        return input_shape[0] * input_shape[2]
    return 1 if len(input_shape) == 1 else input_shape[1]


def sequence(inputs: Tensor) -> Tensor:
    """A minibatch as [samples, steps, features]."""
    if inputs.ndim == 4:
        return inputs.transpose(1, 2).flatten(2)
    return inputs.unsqueeze(2) if inputs.ndim == 2 else inputs
