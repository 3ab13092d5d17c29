"""Speed as ratios, measured side by side.

python benchmarks/run.py                             everything, about an hour
python benchmarks/run.py --only digits --rounds 3    part of it (digits mnist cnn startup diagnosis augmentation sweeps)
python benchmarks/run.py --save docs/benchmarks.md   and put the tables between the page's markers
python benchmarks/run.py --quick                     a smoke run: everything once, tiny, its numbers mean nothing
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PARTS = ("digits", "mnist", "cnn", "startup", "diagnosis", "augmentation", "sweeps")
sys.path.insert(0, str(ROOT / "src"))  # as `python src/train.py` has it: a bare clone is enough


def main() -> None:
    options = _options()
    with TemporaryDirectory(prefix="descent-bench-") as root:
        os.environ["DESCENT_ROOT"] = root  # where runs and their store go
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        import augmentation  # from here on the heavy imports, which read the environment
        import diagnosis
        import report
        import suite
        import sweeps

        parts = options.only or PARTS
        made = {
            report.BENCH: suite.measure(parts, options.rounds, options.quick, options.threads, Path(root)),
            report.DIAGNOSIS: diagnosis.measure(options.rounds, options.quick, options.threads)
            if "diagnosis" in parts
            else [],
            report.AUGMENTATION: augmentation.measure(options.rounds, options.quick) if PARTS[-2] in parts else [],
            report.SWEEPS: sweeps.measure(options.quick, Path(root)) if PARTS[-1] in parts else [],
        }
    report.show([table for tables in made.values() for table in tables])
    for mark, tables in made.items():
        if options.save and tables:
            report.save(tables, options.save, mark)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts to run")
    parser.add_argument(
        "--rounds", type=int, default=3, help="pairs a ratio is the median of, times two for close ones"
    )
    parser.add_argument("--threads", type=int, help="CPU threads, instead of each work's own")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--save", type=Path, metavar="PAGE", help="rewrite the tables between this page's markers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
