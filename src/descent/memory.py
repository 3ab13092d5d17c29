"""A training that memory is too small for: what says so, and how half as large minibatches make the same steps."""

import gc

import torch

OF_THE_CPU = "DefaultCPUAllocator"  # torch raises a plain RuntimeError there


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was too small, a GPU's or the machine's."""
    on_the_cpu = isinstance(error, RuntimeError) and OF_THE_CPU in str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or on_the_cpu


def halved(batch_size: int, accumulate: int) -> list[str]:
    """Overrides: half as many samples at once, twice as often; none where a single sample is too much."""
    return [f"batch_size={batch_size // 2}", f"accumulate={2 * accumulate}"] if batch_size > 1 else []


def give_back() -> None:
    """What a failed training still holds, to the next one."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
