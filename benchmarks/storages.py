"""What a trial costs on each storage of a study, whoever trains it.

python benchmarks/storages.py                        journal, sqlite, and a PostgreSQL server where one can be started
python benchmarks/storages.py --save docs/sweeps.md  and put the table between the page's markers
python benchmarks/storages.py --quick                a smoke run, its numbers mean nothing

A study is given finished trials; then one worker, or several at once, claims and ends twenty more, and does nothing
else. The median of a claim with its draws and an end is told in milliseconds. What is committed reaches the disk in
all three.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import report
from optuna.trial import TrialState, create_trial

import postgres
from hydra_plugins.descent_sweeper import _samplers
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue

SPACE = [parsed("lr", "float [1e-4, 1] log"), parsed("momentum", "float [0, 1]"), parsed("model.width", "int [8, 512]")]
MARK = "python benchmarks/storages.py"
PROCESSES = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    trials: tuple[int, ...] = (0, 2000)
    workers: tuple[int, ...] = (1, 4)
    more: int = 20


def filled(queue: Queue, total: int) -> None:
    """Finished trials up to that number, as if they had been run."""
    distributions = {one.name: _samplers.distribution(one) for one in SPACE}
    params = {"lr": 0.1, "momentum": 0.5, "model.width": 64}
    done = create_trial(state=TrialState.COMPLETE, value=0.5, params=params, distributions=distributions)
    for _ in range(total - len(queue.trials())):
        queue.study.add_trial(done)


def milliseconds(where: tuple[Any, ...], workers: int, more: int) -> list[float]:
    """Of every claim and end of so many workers."""
    queue = Queue(*where)
    queue.open()
    queue.extend(len(queue.trials()) + workers * more, [])
    found = PROCESSES.SimpleQueue()
    ready = PROCESSES.Barrier(workers)
    started = [PROCESSES.Process(target=_work, args=(where, more, ready, found)) for _ in range(workers)]
    for process in started:
        process.start()
    taken = [one for _ in started for one in found.get()]
    for process in started:
        process.join()
    return taken


def _work(where: tuple[Any, ...], more: int, ready: Any, found: Any) -> None:
    queue, never, taken = Queue(*where), Stopping(maximize=True), []
    queue.open()
    queue.trials()
    ready.wait()
    for _ in range(more):
        begun = time.perf_counter()
        claim = queue.claim("random", {}, 0, never)
        assert claim is not None, "there are as many trials as are taken"
        queue.finish(claim, TrialState.COMPLETE, [0.5])
        taken.append(1000 * (time.perf_counter() - begun))
    found.put(taken)


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """Storage → its address: PostgreSQL as it is installed, but for its place."""
    with postgres.server(durable=True) if postgres.is_here() else nullcontext() as address:
        yield {"journal": "journal", "sqlite": "sqlite", **({"postgresql": address} if address else {})}


def measure(size: Size) -> report.Table:
    """A row for each storage and number of workers and of trials."""
    table = report.Table("Milliseconds for a claim and an end", ("storage", "median", "range", "times"), 1)
    with _servers() as storages:
        for storage, address in storages.items():
            for workers in size.workers:
                with tempfile.TemporaryDirectory() as folder:
                    where = (Path(folder), SPACE, address, f"benchmark-{time.time_ns()}")
                    queue = Queue(*where)
                    queue.create(["maximize"])
                    for trials in size.trials:
                        filled(queue, trials)
                        noun = "worker" if workers == 1 else "workers"
                        what = f"{storage}, {workers} {noun}, after {trials:,} trials"
                        table.add(what, milliseconds(where, workers, size.more))
                        table.rows[-1] = table.rows[-1][:4]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, metavar="PAGE", help="rewrite the table between this page's markers")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    options = parser.parse_args()
    table = measure(Size((0, 3), (1, 2), 2) if options.quick else Size())
    report.show([table])
    if options.save:
        report.save([table], options.save, MARK)


if __name__ == "__main__":
    main()
