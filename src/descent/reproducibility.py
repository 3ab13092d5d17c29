"""Where randomness comes from: every draw is a function of the seed and of what it is for, never of what ran before."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_MASK = (1 << 64) - 1


def stream(seed: int, *purpose: object) -> int:
    """A 64-bit seed for one purpose: `stream(seed, "order", epoch)`."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """The order of the samples in an epoch."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(stream(seed, "order", epoch)))


class Noise:
    """Seeds dropout, augmentation and whatever else a forward pass draws, by the minibatch's place in the training."""

    def __init__(self, seed: int, device: torch.device, rank: int = 0) -> None:
        self._base = stream(seed, "noise", rank) if rank else stream(seed, "noise")
        self._generators = [torch.default_generator]
        if device.type == "cuda":
            self._generators.append(torch.cuda.default_generators[device.index or 0])

    def at(self, epoch: int, minibatch: int) -> None:
        """From here on draws belong to that minibatch."""
        # Splitmix's finaliser: neighbouring places get unrelated seeds, at a fraction of a hash's cost.
        value = (self._base + (epoch << 32 | minibatch) * 0x9E3779B97F4A7C15) & _MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
        value ^= value >> 31
        for generator in self._generators:
            generator.manual_seed(value)


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Draws inside belong to one purpose; the generator is left as it was found."""
    state = torch.random.get_rng_state()
    torch.default_generator.manual_seed(stream(seed, purpose))
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


@contextmanager
def computing(threads: int, exact: bool) -> Iterator[None]:
    """The resolved number of threads and the kernels' determinism, for the length of a run."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.set_num_threads(threads)
    if exact:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(exact)
    torch.backends.cudnn.benchmark = not exact
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.backends.cudnn.benchmark = before[2]
