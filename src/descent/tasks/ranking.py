"""Metrics that need every sample's outputs at once, and so cannot be sums over batches."""

import torch
from torch import Tensor

from descent.vocabulary import TOP


def probabilities(outputs: Tensor) -> Tensor:
    """P(class) in float64, a column a class; a single output is the log-odds of class 1."""
    outputs = outputs.double()
    if outputs.shape[1] == 1:
        return torch.cat([torch.sigmoid(-outputs), torch.sigmoid(outputs)], 1)
    return outputs.softmax(1)


def auc(scores: Tensor, positive: Tensor) -> float:
    """How often a positive sample is scored above a negative one, ties counting half; NaN without either."""
    ordered = scores.sort().values
    below, up_to = (torch.searchsorted(ordered, scores, right=right) for right in (False, True))
    rank = (below + up_to + 1).double() / 2
    many = int(positive.sum())
    few = len(scores) - many
    wins = float(rank[positive].sum()) - many * (many + 1) / 2
    return wins / (many * few) if many and few else float("nan")


def macro_auc(chances: Tensor, targets: Tensor) -> float:
    """Of class 1 where there are two; else the mean over classes against the rest, of those that are there."""
    if chances.shape[1] == 2:
        return auc(chances[:, 1].contiguous(), targets == 1)
    parts = [auc(chances[:, one].contiguous(), targets == one) for one in sorted(set(targets.tolist()))]
    known = [part for part in parts if part == part]
    return sum(known) / len(known) if known else float("nan")


def top_accuracy(outputs: Tensor, targets: Tensor, top: int = TOP) -> float:
    """The share of samples whose class is among the `top` largest outputs; of equal ones the last class is first."""
    own = outputs.gather(1, targets[:, None])
    later = torch.arange(outputs.shape[1], device=outputs.device) > targets[:, None]
    above = ((outputs > own) | ((outputs == own) & later)).sum(1)
    return float((above < top).double().mean())
