"""How long a prediction takes."""

import statistics
import time

import torch

from descent.evaluation.recovering import Recovered
from descent.reproducibility import computing

BATCHES = (1, 128)
WARM_UP, LEAST, MOST = 3, 5, 200
SECONDS = 0.5  # a batch size


def latency(run: Recovered) -> dict[int, float]:
    """Milliseconds a sample in batches of each size: the median of repeated passes."""
    return {size: _median(run, size) for size in BATCHES}


def _median(run: Recovered, size: int) -> float:
    rows = run.data.train.inputs[torch.arange(size) % len(run.data.train)].to(run.device)
    taken: list[float] = []
    with torch.inference_mode(), computing(run.threads, True):
        for _ in range(WARM_UP):
            run.model(rows)
        while len(taken) < LEAST or (len(taken) < MOST and sum(taken) < SECONDS):
            started = time.perf_counter()
            run.model(rows)
            if run.device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken) / size
