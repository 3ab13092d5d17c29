"""How large a model is, and what follows from it: threads, minibatches a chunk, time."""

import math
import os
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# Below this many multiply-adds a minibatch, a second thread costs more than it brings.
SMALL_WORK = 10_000_000
# A chunk is about this much work, so that progress and signals are served several times a second.
CHUNK_WORK = {"cpu": 3_000_000_000, "cuda": 1_000_000_000_000}
LARGEST_CHUNK = 512
CHUNK_BYTES = 64 << 20


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Of one sample's forward pass, in matrix products and convolutions."""
    was_training = model.training
    model.eval()
    first = next(model.parameters())
    counted = {torch.ops.aten.mkldnn_rnn_layer: _recurrent_flops}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=counted) as counter:
        model(torch.zeros(1, *input_shape, device=first.device, dtype=first.dtype))
    model.train(was_training)
    return int(counter.get_total_flops()) // 2


def _recurrent_flops(
    steps: Sequence[int], weight: Sequence[int], recurrent: Sequence[int], *_: object, **__: object
) -> int:
    """Of one layer in one direction over [steps, samples, features]: torch has no formula of its own for it."""
    return 2 * steps[0] * steps[1] * (math.prod(weight) + math.prod(recurrent))


def threads_for(work: int) -> int:
    """CPU threads for a minibatch of so many multiply-adds."""
    if work < SMALL_WORK:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "")  # whoever shares the machine says there how much of it is ours
    return min(cores, int(said)) if said.isdigit() and int(said) else cores


def chunk_for(work: int, row_bytes: int, rows: int, device: str) -> int:
    """Steps a chunk, for a step of so many multiply-adds and rows."""
    by_work = CHUNK_WORK[device] // max(3 * work, 1)
    by_memory = CHUNK_BYTES // max(row_bytes * rows, 1)
    return max(1, min(by_work, by_memory, LARGEST_CHUNK))
