"""A training that memory is too small for: what says so, and how smaller minibatches make the same steps."""

import gc

import torch

PARTS = (2, 3, 5, 7, 11, 13)
OF_THE_CPU = "DefaultCPUAllocator"  # torch raises a plain RuntimeError there


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was too small, a GPU's or the machine's."""
    on_the_cpu = isinstance(error, RuntimeError) and OF_THE_CPU in str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or on_the_cpu


def divided(batch_size: int, accumulate: int, dropped: int = 0) -> list[str]:
    """Overrides: half as many samples at once, twice as often, or what an odd number can be divided by.

    None where nothing divides it, or so many samples that an epoch leaves out would make a smaller minibatch: the
    steps would not see the same samples.
    """
    for part in PARTS:
        if batch_size % part == 0 and dropped < batch_size // part:
            return [f"batch_size={batch_size // part}", f"accumulate={part * accumulate}"]
    return []


def give_back() -> None:
    """What a failed training still holds, to the next one."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
