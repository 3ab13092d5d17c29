"""A search of many small trials, against Hydra's own sweeper over the ordinary way; and what passes between two trials.

The ordinary way's time goes up with its trials one by one, so that a few of them, before and after ours, tell it.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pairing import Ratio
from report import Table
from trial_stamps import between, reached

ROOT = Path(__file__).parents[1]
ORDINARY = "ordinary Lightning, Hydra's own multirun"
LEAST_RATIO, MOST_MS, MOST_GROWTH = 8.0, 60.0, 2.0
SPACE = "lr=tag(log,interval(1e-4,1e-1))"


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    trials: int = 300
    epochs: int = 10
    ordinary: int = 6  # trainings before ours, and as many after
    earlier: int = 2000  # finished trials that a long study has
    later: int = 40  # trials that are run then


QUICK = Size(trials=4, epochs=2, ordinary=1, earlier=10, later=4)


@dataclass(frozen=True)
class Multirun:
    """The ordinary way: what it takes to start, and for each training."""

    start: float
    each: float

    def seconds(self, trials: int) -> float:
        """Of so many."""
        return self.start + trials * self.each


def measure(quick: bool, root: Path) -> list[Table]:
    """The tables of ratios, of seconds, and of milliseconds between trials."""
    size = QUICK if quick else Size()
    ratios, seconds = Table.of_ratios(), Table.of_seconds()
    before = _ordinary(size, root / "before")
    plain = _searched(size.trials, size, root, "plain")
    after = _ordinary(size, root / "after")
    pruned = _searched(size.trials, size, root, "pruned", "pruner=median")
    work, both = f"{size.trials} digits trials of {size.epochs} epochs", (before, after)
    ours = plain.seconds
    ratios.rows.append(
        Ratio(f"{work}, workers=2", ORDINARY, [one.seconds(size.trials) / ours for one in both], LEAST_RATIO).cells()
    )
    ratios.rows.append(_to_the_best(work, plain, pruned, both))
    seconds.add(f"{work}: Descent, workers=2", [ours])
    seconds.add(f"{work}: Descent, workers=2, pruner=median", [pruned.seconds])
    seconds.add(f"one training of {size.epochs} epochs: {ORDINARY}", [one.each for one in both])
    seconds.add(f"its start: {ORDINARY}", [one.start for one in both])
    return [ratios, seconds, _gaps(size, root, plain)]


@dataclass(frozen=True)
class Searched:
    """A search that has ended."""

    directory: Path
    begun: float
    seconds: float

    @property
    def trials(self) -> list[Path]:
        return [path for path in self.directory.iterdir() if path.name.isdigit()]


def _searched(trials: int, size: Size, root: Path, study: str, *more: str) -> Searched:
    words = ["-m", "search=random", SPACE, f"n_trials={trials}", f"epochs={size.epochs}", "workers=2", f"study={study}"]
    print(f"sweeps: {study}, {trials} trials", file=sys.stderr, flush=True)
    begun = time.time()
    _run([str(ROOT / "src" / "train.py"), *words, *more], root)
    return Searched(root / "sweeps" / study, begun, time.time() - begun)


def _ordinary(size: Size, directory: Path) -> Multirun:
    print(f"sweeps: {size.ordinary} ordinary ones", file=sys.stderr, flush=True)
    script = str(ROOT / "benchmarks" / "ordinary_multirun.py")
    rates = ",".join(f"{1e-3 * 1.5**number:.3g}" for number in range(size.ordinary))
    begun = time.perf_counter()
    words = ["-m", f"lr={rates}", f"epochs={size.epochs}", f"hydra.sweep.dir={directory}"]
    said = json.loads(_run([script, *words], directory.parent).splitlines()[-1])
    taken = time.perf_counter() - begun
    assert said["trainings"] == size.ordinary
    return Multirun(taken - said["seconds"], said["seconds"] / size.ordinary)


def _run(command: list[str], root: Path) -> str:
    env = {**os.environ, "DESCENT_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *command], cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr}")
    return done.stdout


def _to_the_best(work: str, plain: Searched, pruned: Searched, both: tuple[Multirun, Multirun]) -> list[str]:
    """Until the best value of them all was found: the ordinary way would find it at the same trial."""
    best = max(json.loads((trial / "results.json").read_text())["objective"] for trial in plain.trials)
    first, found = reached(plain.trials, best), reached(pruned.trials, best)
    what = f"{work}: until the best value, pruner=median"
    if first is None or found is None:
        return [what, ORDINARY, "not reached", "", "", "", ""]
    ours = found[1] - pruned.begun
    return Ratio(what, ORDINARY, [one.seconds(first[0] + 1) / ours for one in both]).cells()


def _gaps(size: Size, root: Path, plain: Searched) -> Table:
    """Between two trials of a worker: of the search above, and of one with many trials behind it."""
    _searched(1, size, root, "long")
    _fill(root / "sweeps" / "long", size.earlier)
    grown = _searched(size.earlier + size.later, size, root, "long")
    early = [1000 * gap for gap in between(plain.trials)]
    late = [1000 * gap for gap in between([trial for trial in grown.trials if int(trial.name) >= size.earlier])]
    table = Table("Milliseconds from the last step of a trial to the first of its worker's next", *COLUMNS)
    table.add(f"of {size.trials} trials", early, most=MOST_MS)
    table.add(f"after {size.earlier} trials", late, most=round(MOST_GROWTH * statistics.median(early), 1))
    return table


COLUMNS = ("what", "median", "range", "times", "promised", "kept"), 1


def _fill(study: Path, trials: int) -> None:
    """So many finished trials that nobody has trained, drawn over the space of the first."""
    from optuna.trial import create_trial

    from hydra_plugins.descent_sweeper._study import Queue

    queue = Queue(study, [])
    queue.open()
    (first,) = queue.trials()
    (name,) = first.distributions
    for number in range(trials - 1):
        params = {name: 1e-4 * 10 ** (3 * number / trials)}
        queue.study.add_trial(create_trial(params=params, distributions=first.distributions, value=0.5 + number / 1e6))
