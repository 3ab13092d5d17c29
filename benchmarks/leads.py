"""Studies without training: what a search finds on a function with a known lowest point, and its lead over random.

The searches are made as a worker makes them, a sampler for each trial from the seed and the trial's number, with the
knobs of conf/search. Random search has the same seeds, so that both begin alike where a search begins at random.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from landscapes import LANDSCAPES
from report import Table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from descent import composition
from descent.comparison.summary import summarise
from descent.config import parse
from hydra_plugins.descent_sweeper._draws import distribution
from hydra_plugins.descent_sweeper._samplers import KINDS, sampler_for
from hydra_plugins.descent_sweeper._search_space import drawn

RANDOM = "random"
TRIALS = {"tpe": 60, "gp": 60, "cmaes": 200, "anneal": 200, "genetic": 200}
# Where each is to win: the interval of its lead lies above zero.
NAMED = {
    "tpe": ("sphere", "branin", "hartmann", "noisy", "mixed"),
    "gp": ("sphere", "branin", "hartmann", "noisy"),
    "cmaes": ("sphere", "branin", "hartmann", "noisy"),
    "anneal": ("sphere", "branin", "hartmann", "mixed"),
    "genetic": ("sphere", "branin", "hartmann", "noisy", "mixed"),
}
Pair = tuple[str, str]  # a search and a function

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Study:
    """So many trials of a search on a function."""

    search: str
    function: str
    seed: int
    trials: int

    @property
    def key(self) -> str:
        return f"{self.search} {self.function} {self.seed} {self.trials}"


def pairs_of(only: Sequence[str]) -> list[Pair]:
    """Every search with every function that it can take; of those that are named, where some are."""
    searches = [search for search in TRIALS if search in only] or [*TRIALS]
    functions = [function for function in LANDSCAPES if function in only] or [*LANDSCAPES]
    return [
        (search, function)
        for search in searches
        for function in functions
        if KINDS[search].conditional or not LANDSCAPES[function].conditional
    ]


def studies(pairs: Sequence[Pair], trials: Mapping[str, int], seeds: int) -> list[Study]:
    """Those of the pairs, and random search's beside them."""
    wanted = [Study(search, function, seed, trials[search]) for search, function in pairs for seed in range(seeds)]
    return [*wanted, *dict.fromkeys(Study(RANDOM, one.function, one.seed, one.trials) for one in wanted)]


def explore(study: Study) -> float:
    """The value, without its noise, of the point that the study holds to be its best."""
    landscape = LANDSCAPES[study.function]
    knobs = {**_knobs(study.search), "trials": study.trials}
    known, values = optuna.create_study(direction="minimize"), []
    for number in range(study.trials):
        known.sampler = sampler_for(study.search, landscape.parameters, knobs, study.seed, number)
        trial, point = known.ask(), dict[str, Any]()
        for parameter in landscape.parameters:
            if parameter.exists_in(drawn(landscape.parameters, point)):
                point[parameter.name] = trial._suggest(parameter.name, distribution(parameter))
        values.append(landscape.value(point))
        known.tell(trial, landscape.measured(values[-1], study.seed, number))
    return values[known.best_trial.number]


@lru_cache
def _knobs(search: str) -> dict[str, Any]:
    """What conf/search says."""
    word = f"search={search}"
    composed = composition.compose([word])
    choices = dict(composed.hydra.runtime.choices)
    settings = parse(composition.without_hydra(composed), choices, [word], one_of_many=True)
    return dict(settings.sweep["search"])


def found(wanted: Sequence[Study], processes: int, file: Path | None) -> dict[str, float]:
    """Study → value. What the file has already is taken from there, everything else is added to it."""
    values: dict[str, float] = {}
    if file and file.exists():
        values = dict(json.loads(line) for line in file.read_text().splitlines())
    missing = [study for study in wanted if study.key not in values]
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with ProcessPoolExecutor(processes) as pool, Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("searching", total=len(missing))
        at_work = {pool.submit(explore, study): study for study in missing}
        for done in as_completed(at_work):
            study = at_work[done]
            values[study.key] = done.result()
            if file:
                with file.open("a") as kept:
                    kept.write(json.dumps([study.key, values[study.key]]) + "\n")
            progress.update(bar, advance=1, description=f"{study.search} on {study.function}")
    return values


def table(pairs: Sequence[Pair], trials: Mapping[str, int], seeds: int, values: Mapping[str, float]) -> Table:
    """A row for each search on each function."""
    columns = ("search", "function", "trials", "random", "found", "lowest", "lead", "95% interval", "named", "kept")
    made = Table(f"Lowest values found, means over {seeds} seeds, and the lead over random search", columns, words=2)
    for search, function in pairs:
        budget, landscape = trials[search], LANDSCAPES[function]
        own, random = (
            [values[Study(which, function, seed, budget).key] for seed in range(seeds)] for which in (search, RANDOM)
        )
        lead = summarise([other - one for one, other in zip(own, random, strict=True)])
        assert lead.low is not None and lead.high is not None
        means = [statistics.mean(random), statistics.mean(own), landscape.lowest, lead.mean]
        figures = [*(f"{mean:.4f}" for mean in means), f"{lead.low:.4f} to {lead.high:.4f}"]
        verdict = ["yes", "yes" if lead.low > 0 else "no"] if function in NAMED[search] else ["", ""]
        made.rows.append([search, landscape.title, str(budget), *figures, *verdict])
    return made
