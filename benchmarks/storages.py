"""What a trial costs on each storage of a study: `python benchmarks/storages.py [journal sqlite postgresql://…]`.

A study is given 10, 300 or 2,000 finished trials; then twenty more are claimed and finished, one after another, by one
process that does nothing else. The median of those twenty is told in milliseconds.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from optuna.trial import TrialState, create_trial

from hydra_plugins.descent_sweeper import _samplers
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue

SPACE = [parsed("lr", "float [1e-4, 1] log"), parsed("momentum", "float [0, 1]"), parsed("model.width", "int [8, 512]")]
SIZES, MORE = (10, 300, 2000), 20


def filled(queue: Queue, total: int) -> None:
    """Finished trials up to that number, as if they had been run."""
    distributions = {one.name: _samplers.distribution(one) for one in SPACE}
    params = {"lr": 0.1, "momentum": 0.5, "model.width": 64}
    done = create_trial(state=TrialState.COMPLETE, value=0.5, params=params, distributions=distributions)
    for _ in range(total - len(queue.trials())):
        queue.study.add_trial(done)


def milliseconds(queue: Queue) -> float:
    """Of one claim with its draws and one end."""
    queue.extend(len(queue.trials()) + MORE, [])
    never, taken = Stopping(maximize=True), []
    for _ in range(MORE):
        started = time.perf_counter()
        claim = queue.claim("random", {}, 0, never)
        assert claim is not None
        queue.finish(claim, TrialState.COMPLETE, [0.5])
        taken.append(time.perf_counter() - started)
    return 1000 * median(taken)


def main() -> None:
    print("| storage | " + " | ".join(f"trial {size:,}" for size in SIZES) + " |")
    print("|---|" + "---:|" * len(SIZES))
    for storage in sys.argv[1:] or ("journal", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            queue = Queue(Path(folder), SPACE, storage, f"benchmark-{time.time_ns()}")
            queue.create(["maximize"])
            cells = []
            for size in SIZES:
                filled(queue, size)
                cells.append(f"{milliseconds(queue):.1f} ms")
        print(f"| {storage.partition(':')[0]} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
