"""What the shipped settings come to: five seeds of each experiment, as a table.

python benchmarks/results.py                       the table, in a few minutes
python benchmarks/results.py --save README.md      and put it between the page's markers
python benchmarks/results.py --seeds 2 --epochs 1  a smoke run, its numbers mean nothing
"""

import argparse
import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))  # as `python src/train.py` has it: a bare clone is enough

if TYPE_CHECKING:
    from descent.comparison.summary import Summary

# Experiment → the metric that it is judged by, and the least that its mean over five seeds may be.
WANTED = {
    "digits_mlp": ("test/accuracy", 0.97),
    "digits_cnn": ("test/accuracy", 0.985),
    "digits_vgg": ("test/accuracy", 0.985),
    "digits_lstm": ("test/accuracy", 0.96),
    "breast_cancer": ("test/accuracy", 0.96),
    "diabetes": ("test/r2", 0.5),
}
MARK = "python benchmarks/results.py"


def main() -> None:
    options = _options()
    with TemporaryDirectory(prefix="descent-results-") as root:
        os.environ["DESCENT_ROOT"] = root
        from report import Table, save, show

        table = Table(
            "Test results of the shipped settings", ("experiment", "metric", "mean", "95% interval", "seeds"), 2
        )
        for name, (metric, _) in WANTED.items():
            print(name, file=sys.stderr, flush=True)
            found = measured(name, options.seeds, options.epochs, Path(root))[metric]
            interval = f"{found.low:.4f} to {found.high:.4f}" if found.low is not None else ""
            table.rows.append([name, metric, f"{found.mean:.4f}", interval, str(found.n)])
    show([table])
    if options.save:
        save([table], options.save, MARK)


def measured(experiment: str, seeds: int, epochs: int | None, root: Path) -> dict[str, "Summary"]:
    """Every metric over the seeds."""
    from descent import place, repeated
    from descent.door import compose, typed
    from descent.training import train

    words = [f"experiment={experiment}", f"seeds={seeds}", "tracking=none", "threads=1"]
    directory = root / experiment
    with redirect_stdout(io.StringIO()):
        train(typed(compose([*words, *([f"epochs={epochs}"] if epochs else [])])), directory)
    run = place.read(directory)
    assert run is not None, "a training leaves its run.json"
    return repeated.read(run).metrics


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="two or more")
    parser.add_argument("--epochs", type=int, help="instead of each experiment's own")
    parser.add_argument("--save", type=Path, metavar="PAGE", help="rewrite the table between this page's markers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
