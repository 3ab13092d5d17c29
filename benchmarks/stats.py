"""How often the comparison of groups is wrong, and how fast it reads: drawn experiments and filled stores.

python benchmarks/stats.py                            the tables, in a few minutes
python benchmarks/stats.py --save docs/comparing.md   and put them between the page's markers
python benchmarks/stats.py --trials 50 --runs 200     a smoke run, its numbers mean nothing
"""

import argparse
import itertools
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from report import Table, save, show  # noqa: E402

from descent.comparison import contrast as contrasts  # noqa: E402
from descent.comparison.families import holm  # noqa: E402
from descent.comparison.power import power  # noqa: E402
from descent.comparison.spread import resampled_interval  # noqa: E402
from descent.comparison.summary import summarise  # noqa: E402

MARK, ALPHA = "make bench-stats", 0.05
Group = dict[int, float]


def main() -> None:
    options = _options()
    with TemporaryDirectory(prefix="descent-stats-") as folder:
        tables = [false_alarms(options.trials), found(options.trials), intervals(options.trials)]
        tables.append(reading(options.runs, Path(folder)))
    show(tables)
    if options.save:
        save(tables, options.save, MARK)


def false_alarms(trials: int) -> Table:
    """Groups of one and the same configuration."""
    table = _table("Identical configurations: how often a difference is called", "experiments")
    for n, paired in itertools.product((2, 3, 5, 10, 20), (True, False)):
        called = [_pair(seed, n, 0.0, paired=paired).p < ALPHA for seed in range(trials)]
        table.rows.append(_row(f"{n} {_kind(paired)}", called, ALPHA, at_most=True))
    families = [_family(seed) for seed in range(max(trials // 4, 1))]
    table.rows.append(_row("10 groups of 5, Holm over 45 pairs", families, ALPHA, at_most=True))
    return table


def found(trials: int) -> Table:
    """Planted differences, in deviations of a run."""
    table = _table("Planted differences: how often they are found", "experiments")
    for (n, difference), paired in itertools.product(((3, 2.0), (5, 1.5), (10, 1.0), (20, 0.7)), (True, False)):
        called = [_pair(seed, n, difference, paired=paired).p < ALPHA for seed in range(trials)]
        deviation = math.sqrt(2) if paired else 1.0
        theory = power(difference, (deviation, deviation), n, paired=paired)
        table.rows.append(_row(f"{difference:g} deviations, {n} {_kind(paired)}", called, theory))
    return table


def intervals(trials: int) -> Table:
    """Of normal values, and of a skewed distribution, whose mean is known."""
    table = _table("95% intervals: how often they hold the truth", "experiments")
    shapes: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
        "normal": lambda random, n: random.normal(1, 1, n),
        "skewed": lambda random, n: random.gamma(4, 0.25, n),
    }
    kinds = {"Student's": (lambda values: (summarise(values).low, summarise(values).high), (2, 5, 10, 20))}
    kinds["resampled"] = (resampled_interval, (8, 10, 20))
    for (shape, draw), (kind, (interval, sizes)) in itertools.product(shapes.items(), kinds.items()):
        for n in sizes:
            samples = (draw(np.random.default_rng(seed), n).tolist() for seed in range(trials))
            holds = [low <= 1 <= high for low, high in map(interval, samples)]
            table.rows.append(_row(f"{kind}, {n} {shape} values", holds, 0.95 if shape == "normal" else None))
    return table


def reading(runs: int, folder: Path) -> Table:
    """`compare.py` as whole processes, on stores of so many runs, ten times as many at the end."""
    columns = ("tracked runs", "seconds", "of the processor", "the same per 1,000", "peak MB")
    table = Table("compare.py from start to end: a SQLite store through MLflow's API", columns, words=0)
    for count in (runs, 3 * runs, 10 * runs):
        root = folder / str(count)
        root.mkdir()
        _fill(root, count)
        seconds, busy, megabytes = _compared(root)
        per_thousand = f"{1000 * busy / count:.2f}"
        table.rows.append([f"{count:,}", f"{seconds:.1f}", f"{busy:.1f}", per_thousand, f"{megabytes:.0f}"])
    return table


def _compared(root: Path) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and the most memory."""
    command = [sys.executable, str(ROOT / "src" / "compare.py"), "by=optimizer", "metric=test/accuracy"]
    known = {**os.environ, "DESCENT_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    known.pop("MLFLOW_TRACKING_URI", None)
    started = time.perf_counter()
    process = subprocess.Popen(command, env=known, stdout=subprocess.DEVNULL)
    _, code, used = os.wait4(process.pid, 0)
    if process.returncode is None:
        process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == 0, command
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


def _fill(root: Path, count: int) -> None:
    """One run by the API, then as many copies by SQL: 70 params, 30 metrics and 35 tags each, as a training has."""
    from reference.stored import add, opened

    random = np.random.default_rng(0)
    metrics = {f"test/metric{number}": 0.5 for number in range(29)} | {"test/accuracy": 0.9}
    tags = {f"tag{number}": "a value of some length" for number in range(34)}
    first = add(opened(root), metrics, tags=tags, **{f"model.knob{number}": number for number in range(58)})
    with closing(sqlite3.connect(root / "mlflow.db")) as base, base:
        for number in range(1, count):
            own = f"{number:032x}"
            for table in ("runs", "params", "tags", "latest_metrics", "inputs"):
                key = "destination_id" if table == "inputs" else "run_uuid"
                names = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
                chosen = [
                    "?" if name == key else f"'i{number}'" if name == "input_uuid" else f'"{name}"' for name in names
                ]
                base.execute(
                    f"INSERT INTO {table} SELECT {','.join(chosen)} FROM {table} WHERE {key} = ?", (own, first)
                )
            optimizer = ("adam", "sgd", "lion", "nadam")[number % 4]
            base.execute("UPDATE params SET value = ? WHERE run_uuid = ? AND key = 'optimizer'", (optimizer, own))
            base.execute("UPDATE params SET value = ? WHERE run_uuid = ? AND key = 'seed'", (str(number // 4), own))
            where = "WHERE run_uuid = ? AND key = 'test/accuracy'"
            base.execute(f"UPDATE latest_metrics SET value = ? {where}", (random.normal(0.9, 0.01), own))


def _pair(seed: int, n: int, difference: float, *, paired: bool) -> contrasts.Contrast:
    random = np.random.default_rng(seed)
    first, second = (dict(enumerate(random.normal(0, 1, n).tolist())) for _ in range(2))
    return contrasts.contrast(first, {key + (0 if paired else n): value + difference for key, value in second.items()})


def _family(seed: int) -> bool:
    random = np.random.default_rng(seed)
    groups = [dict(enumerate(random.normal(0, 1, 5).tolist())) for _ in range(10)]
    chances = holm([contrasts.contrast(a, b).p for a, b in itertools.combinations(groups, 2)])
    return min(p for p in chances if p is not None) < ALPHA


def _table(title: str, count: str) -> Table:
    return Table(title, ("what", count, "share", "wanted", "kept"), words=1)


def _row(what: str, hits: list[bool], wanted: float | None, *, at_most: bool = False) -> list[str]:
    """Kept: within three standard errors, of intervals within 93 to 97%."""
    share = float(np.mean(hits))
    if wanted is None:
        return [what, f"{len(hits):,}", f"{share:.3f}", "", ""]
    reach = 0.02 if wanted == 0.95 else 3 * math.sqrt(wanted * (1 - wanted) / len(hits))
    kept = share <= wanted + reach if at_most else abs(share - wanted) <= reach
    return [what, f"{len(hits):,}", f"{share:.3f}", f"{'≤ ' if at_most else ''}{wanted:.3f}", "yes" if kept else "no"]


def _kind(paired: bool) -> str:
    return "pairs" if paired else "and as many"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000, help="of each experiment")
    parser.add_argument("--runs", type=int, default=1000, help="of the smallest store, a tenth of the largest")
    parser.add_argument("--save", type=Path, metavar="PAGE", help="rewrite the tables between this page's markers")
    return parser.parse_args()


if __name__ == "__main__":
    contrasts.turned_p = lambda *_: math.nan  # nothing here reads them, and they are slow
    contrasts.relabelled_p = lambda *_: math.nan
    main()
