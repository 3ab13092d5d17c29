"""What a learning rate, a size, a batch, a regularizer and more data do, measured on digits and drawn.

python examples/lessons.py                    all of it, into docs/pictures and the tables of docs/lessons.md
python examples/lessons.py rate capacity      these alone
"""

import contextlib
import io
import json
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from PIL import Image

from descent.door import compose, typed
from descent.errors import Diverged
from descent.pages.chart import Axis, Chart, Line, Points
from descent.pages.pictures import picture
from descent.training import train

PROJECT = Path(__file__).parents[1]
PAGE, PICTURES = PROJECT / "docs" / "lessons.md", PROJECT / "docs" / "pictures"
COMMON = ("tracking=none", "trainer.enable_progress_bar=false", "device=cpu", "threads=1", "restore=last")
SEEDS = range(3)
COLOURS = 64
Rows = list[list[str]]


@dataclass(frozen=True)
class Came:
    """What one setting came to over the seeds: medians of the last epoch; curves are those of the middle seed."""

    metrics: dict[str, float]
    curves: dict[str, list[float]]
    diverged: int
    reached: float  # epochs to the target, in the median; infinity where it never came there

    def __getitem__(self, name: str) -> float:
        return self.metrics.get(name, float("nan"))


def came(*overrides: str, target: float | None = None, seeds: Sequence[int] = SEEDS) -> Came:
    """As the command line would train it."""
    runs = [run for seed in seeds if (run := trained(*overrides, f"seed={seed}"))]
    if not runs:
        return Came({}, {}, len(seeds), float("inf"))
    names = set.intersection(*(set(metrics) for metrics, _ in runs))
    medians = {name: statistics.median(metrics[name] for metrics, _ in runs) for name in names}
    soon = [epochs_to(curves["val/accuracy"], target) for _, curves in runs] if target is not None else [float("inf")]
    return Came(medians, runs[len(runs) // 2][1], len(seeds) - len(runs), statistics.median(soon))


def epochs_to(curve: Sequence[float], target: float) -> float:
    """The first that is there, counted from 1."""
    return next((epoch for epoch, value in enumerate(curve, 1) if value >= target), float("inf"))


def trained(*overrides: str) -> tuple[dict[str, float], dict[str, list[float]]] | None:
    """Metrics and curves of one training; None where it diverged."""
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        try:
            train(typed(compose([*COMMON, *overrides])), Path(folder))
        except Diverged:
            return None
        history = json.loads((Path(folder) / "history.json").read_text())
        metrics = json.loads((Path(folder) / "results.json").read_text())["metrics"]
    curves = {name: [value for _, value in points] for name, points in history.items()}
    return metrics, curves


def rate() -> tuple[list[Chart], Rows]:
    """Too low, right, too high: plain descent, one hidden layer."""
    rates = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0, 30.0]
    found = {lr: came("model.hidden=[64]", "optimizer=sgd", f"lr={lr}", "epochs=15") for lr in rates}
    shown = {lr: one for lr, one in found.items() if one.curves}
    curves = [
        Line(list(range(1, 16)), shown[lr].curves["train/loss"], f"lr {lr:g}", colour)
        for colour, lr in enumerate((1e-3, 3e-1, 3.0))
        if lr in shown
    ]
    charts = [
        Chart("Accuracy after 15 epochs", Axis("lr", log=True), Axis("accuracy"), two(shown, "accuracy")),
        Chart("Training loss", Axis("epoch"), Axis("train/loss", log=True), tuple(curves)),
    ]
    rows = [["lr", "train/loss", "val/loss", "val/accuracy", "diverged"]]
    for lr, one in found.items():
        losses = [number(one[f"best/{name}"]) for name in ("train/loss", "val/loss", "val/accuracy")]
        rows.append([f"{lr:g}", *losses, f"{one.diverged} of {len(SEEDS)}"])
    return charts, rows


def two(found: dict[float, Came], metric: str) -> tuple[Line, Line]:
    """Training dashed, validation drawn through."""
    x = list(found)
    train_values = [one[f"best/train/{metric}"] for one in found.values()]
    val_values = [one[f"best/val/{metric}"] for one in found.values()]
    return Line(x, train_values, "train", 1, dashed=True), Line(x, val_values, "val", 0)


def capacity() -> tuple[list[Chart], Rows]:
    """Too few units, on a fifth of the digits: clean samples, few of them."""
    return by_width(("optimizer=adam", "lr=0.003", "dataset.fraction=0.2"), 0.85)


def noisy() -> tuple[list[Chart], Rows]:
    """Too many, on samples whose classes overlap."""
    return by_width(("experiment=capacity",), 0.7)


def by_width(words: Sequence[str], target: float) -> tuple[list[Chart], Rows]:
    """One hidden layer from one unit to many, for 60 epochs."""
    found = {}
    for width in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        one = came(*words, "model.depth=1", f"model.width={width}", "epochs=60", target=target)
        found[one["model/parameters"]] = width, one
    only = {size: one for size, (_, one) in found.items()}
    axis = Axis("parameters", log=True)
    charts = [
        Chart("Loss after 60 epochs", axis, Axis("loss", log=True), two(only, "loss")),
        Chart("Gap: val/loss - train/loss", axis, Axis("gap/loss"), (line(only, "gap/loss"),)),
        Chart(f"Epochs to val/accuracy {target}", axis, Axis("epochs"),
              (Line(list(only), [one.reached for one in only.values()], "", 2),)),
    ]  # fmt: skip
    rows = [["width", "parameters", "train/loss", "val/loss", "gap/loss", "val/accuracy", f"epochs to {target}"]]
    for size, (width, one) in found.items():
        shown = [number(one[name]) for name in ("best/train/loss", "best/val/loss", "gap/loss", "best/val/accuracy")]
        rows.append([str(width), f"{size:,.0f}", *shown, epochs(one.reached)])
    return charts, rows


def line(found: dict[float, Came], metric: str) -> Line:
    """One metric."""
    return Line(list(found), [one[metric] for one in found.values()], "", 0)


def batch() -> tuple[list[Chart], Rows]:
    """Minibatches that grow where else the rate falls: as many samples, fewer steps."""
    common = ("optimizer=momentum", "lr=0.05", "batch_size=16", "epochs=20", "model.hidden=[64]")
    stones = "milestones=[8,12,16]"
    arms = {
        "neither changes": (),
        "lr halves": ("scheduler=multistep", f"scheduler.{stones}", "scheduler.gamma=0.5"),
        "minibatches double": ("batch_growth=milestones", f"batch_growth.{stones}", "batch_growth.factor=2"),
    }
    rows = [["", "steps", "samples", "train/loss", "val/loss", "val/accuracy"]]
    by_epoch, by_step = [], []
    for colour, (name, words) in enumerate(arms.items()):
        one = came(*common, *words, seeds=range(5))
        sizes = one.curves.get("train/batch_size", [16.0] * 20)
        steps = [sum(-(-1437 // int(size)) for size in sizes[: end + 1]) for end in range(20)]
        by_epoch.append(Line(list(range(1, 21)), one.curves["train/loss"], name, colour))
        by_step.append(Line(steps, one.curves["train/loss"], name, colour))
        shown = [number(one[f"best/{metric}"]) for metric in ("train/loss", "val/loss", "val/accuracy")]
        rows.append([name, f"{steps[-1]:,}", f"{20 * 1437:,}", *shown])
    loss = Axis("train/loss", log=True)
    return [Chart("By epochs", Axis("epoch"), loss, tuple(by_epoch)),
            Chart("By steps", Axis("steps"), loss, tuple(by_step))], rows  # fmt: skip


def regularizers() -> tuple[list[Chart], Rows]:
    """What each does to the gap of a network that is too large for a sixth of the samples."""
    common = ("optimizer=adam", "lr=0.003", "epochs=60", "model.hidden=[256,128]", "dataset.fraction=0.15")
    arms = {
        "none": "[none]", "l2": "[l2]", "l1": "[l1]", "dropout": "[dropout]", "batch_norm": "[batch_norm]",
        "max_norm": "[max_norm]", "label_smoothing": "[label_smoothing]", "input_noise": "[input_noise]",
        "mixup": "[mixup]", "early_stopping": "[early_stopping]",
    }  # fmt: skip
    found = {name: came(*common, f"regularization={items}") for name, items in arms.items()}
    order = sorted(found, key=lambda name: -found[name]["gap/loss"])
    places = list(range(len(order)))
    charts = [
        Chart("Gap: val/loss - train/loss", Axis("gap/loss"), Axis("", categories=tuple(order)),
              (Points([found[name]["gap/loss"] for name in order], places),)),
        Chart("Validation accuracy", Axis("val/accuracy"), Axis("", categories=tuple(order)),
              (Points([found[name]["best/val/accuracy"] for name in order], places, colour=1),)),
    ]  # fmt: skip
    rows = [["", "train/loss", "val/loss", "gap/loss", "val/accuracy", "epochs"]]
    for name in order[::-1]:
        one = found[name]
        shown = [number(one[key]) for key in ("best/train/loss", "best/val/loss", "gap/loss", "best/val/accuracy")]
        rows.append([name, *shown, str(len(one.curves["train/loss"]))])
    return charts, rows


def data() -> tuple[list[Chart], Rows]:
    """More samples, as many steps: what is learnt by heart gets less."""
    found = {}
    for share in (0.05, 0.1, 0.2, 0.4, 0.7, 1.0):
        words = ("optimizer=adam", "lr=0.003", f"epochs={round(20 / share)}", "batch_size=32", "model.hidden=[64]")
        found[round(1437 * share)] = came(*words, f"dataset.fraction={share}")
    axis = Axis("training samples", log=True)
    charts = [
        Chart("Accuracy", axis, Axis("accuracy"), two(found, "accuracy")),
        Chart("Gap: val/loss - train/loss", axis, Axis("gap/loss"), (line(found, "gap/loss"),)),
    ]
    rows = [["samples", "train/accuracy", "val/accuracy", "gap/loss", "wrong of 180"]]
    for samples, one in found.items():
        shown = [number(one[key]) for key in ("best/train/accuracy", "best/val/accuracy", "gap/loss")]
        rows.append([f"{samples:,}", *shown, f"{180 * (1 - one['best/val/accuracy']):.0f}"])
    return charts, rows


def number(value: float) -> str:
    """Short; nothing where there is none."""
    return "" if value != value else f"{value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"


def epochs(value: float) -> str:
    return "never" if value == float("inf") else f"{value:.0f}"


def kept(name: str, rows: Rows) -> None:
    """Between the lesson's marks on the page."""
    table = [f"| {' | '.join(row)} |" for row in rows]
    table.insert(1, f"| --- |{' ---: |' * (len(rows[0]) - 1)}")
    begin, end = f"<!-- measured: python examples/lessons.py {name} -->", "<!-- /measured -->"
    made = "\n".join([begin, *table, end])
    text = PAGE.read_text()
    PAGE.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: made, text, flags=re.DOTALL))
    print("\n".join(table), flush=True)


def drawn(name: str, charts: Sequence[Chart]) -> None:
    """Small, as what is kept in git should be."""
    file = PICTURES / f"lesson_{name}.png"
    picture(charts).savefig(file, dpi=80)
    Image.open(file).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)


LESSONS: dict[str, Callable[[], tuple[list[Chart], Rows]]] = {
    one.__name__: one for one in (rate, capacity, noisy, batch, regularizers, data)
}

if __name__ == "__main__":
    for asked in sys.argv[1:] or LESSONS:
        told, table = LESSONS[asked]()
        drawn(asked, told)
        kept(asked, table)
