"""The long short-term memory, for whatever reads as a sequence."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from descent.models.initialisation import initialise
from descent.models.layers import dropped


class LSTM(nn.Module):
    """Layers of LSTM cells over a sequence, then a linear output from its last state or from the mean of all states.

    An image is read row by row, all channels of a row at once; a table's row column by column; [steps, features] as is.
    With `tokens`, the count of their ids, samples are rows of ids that are embedded first; 0 stands behind a row's end
    and is not read, so that more of it changes nothing.
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
        embedding: int = 32,
        tokens: int = 0,
    ) -> None:
        super().__init__()
        self.directions = 2 if bidirectional else 1
        self.pooling = pooling
        self.embedding = nn.Embedding(tokens, embedding, padding_idx=0) if tokens else None
        self.lstm = nn.LSTM(
            embedding if tokens else features_of(input_shape),
            hidden,
            layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=bidirectional,
        )
        self.head = nn.Sequential(*dropped(dropout), nn.Linear(self.directions * hidden, outputs))
        initialise(self, init)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.embedding is not None:
            return self.head(self._read(self.embedding(inputs.long()), lengths_of(inputs)))  # type: ignore[no-any-return]
        states, (last, _) = self.lstm(sequence(inputs))
        if self.pooling == "mean":
            return self.head(states.mean(1))  # type: ignore[no-any-return]
        return self.head(last[-self.directions :].transpose(0, 1).flatten(1))  # type: ignore[no-any-return]

    def _read(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """What the output sees of sequences that end at different steps."""
        states: Tensor
        place = torch.arange(steps.shape[1], device=steps.device)
        if self.directions == 1:  # what stands behind the end comes too late to be seen
            states, _ = self.lstm(steps)
            seen = place == lengths.unsqueeze(1) - 1
        else:
            packed = pack_padded_sequence(steps, lengths.cpu(), batch_first=True, enforce_sorted=False)
            packed, (ends, _) = self.lstm(packed)
            if self.pooling == "last":
                return ends[-2:].transpose(0, 1).flatten(1)  # type: ignore[no-any-return]
            states, _ = pad_packed_sequence(packed, batch_first=True, total_length=steps.shape[1])
        if self.pooling == "mean":
            seen = place < lengths.unsqueeze(1)
        sums = (states * seen.unsqueeze(2)).sum(1)
        return sums / lengths.unsqueeze(1) if self.pooling == "mean" else sums


def lengths_of(tokens: Tensor) -> Tensor:
    """Tokens of each row before the padding; a row of nothing else, such as a probe of zeros, is read whole."""
    lengths = (tokens != 0).sum(1)
    return torch.where(lengths == 0, tokens.shape[1], lengths)


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
