"""How much lower than random search every other search comes with as many trials, on functions whose lowest is known.

python benchmarks/search.py                                   everything, about a quarter of an hour on one core
python benchmarks/search.py --only gp branin                  searches, functions, or both
python benchmarks/search.py --runs found.jsonl                studies that stand in the file are not run again
python benchmarks/search.py --save docs/search-benchmarks.md  and put the table between the page's markers
python benchmarks/search.py --quick                           a smoke run, its numbers mean nothing
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # as `python src/train.py` has it: a bare clone is enough
MARK = "make bench-search"


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process for each study, a thread for each process
    import leads  # from here on the heavy imports, which read the environment
    import report

    options = _options([*leads.TRIALS, *leads.LANDSCAPES])
    seeds, trials = (2, dict.fromkeys(leads.TRIALS, 25)) if options.quick else (options.seeds, leads.TRIALS)
    pairs = leads.pairs_of(options.only or ())
    found = leads.found(leads.studies(pairs, trials, seeds), options.processes, options.runs)
    tables = [leads.table(pairs, trials, seeds, found)]
    report.show(tables)
    if options.save:
        report.save(tables, options.save, MARK)


def _options(parts: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=parts, help="searches and functions")
    parser.add_argument("--seeds", type=int, default=20, help="studies of each search on each function")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="studies at a time")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="keep every study's result, and go on from there")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--save", type=Path, metavar="PAGE", help="rewrite the table between this page's markers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
