"""The end of a run on the screen: what mattered, what came out, where it is, what to try next."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from descent import processes
from descent.assembly import Parts
from descent.config import FIND, Config
from descent.data.encoding import told
from descent.data.split import Data
from descent.diagnosis.verdict import Finding
from descent.outcome import Outcome
from descent.rules import LONGEST_LINE, cut
from descent.tracking.secrets import mask
from descent.vocabulary import REPORTED

MOST_NEXT = 3


def show(
    console: Console,
    config: Config,
    parts: Parts,
    outcome: Outcome,
    found: Sequence[Finding],
    where: str,
    directory: Path,
) -> None:
    """Settings, results, place and what to try next; a job of a multirun gets one line."""
    if processes.rank() > 0:
        return
    if config.one_of_many:
        console.print(_brief(config, outcome), highlight=False, soft_wrap=True)
        return
    console.print(_settings(config, parts))
    console.print(_results(config, parts, outcome))
    why = f" ({outcome.stopped_because})" if outcome.stopped_because else ""
    line = f"{outcome.epochs} epochs in {outcome.seconds:.1f} s{why}; reported: epoch {outcome.epoch + 1}"
    for text in (
        line,
        f"run: {where}",
        f"directory: {directory}",
        *([f"verdict: {found[0].line}"] if found else []),
        "",
        "next:",
        *(f"  {command}" for command in next_commands(config, found)),
        *([f"  {shlex.join(['python', 'src/evaluate.py', f'run={directory}'])}"] if _is_tested(outcome) else []),
    ):
        console.print(text, highlight=False, soft_wrap=True, markup=False)


def _is_tested(outcome: Outcome) -> bool:
    """Then a closer look has something to look at."""
    return any(name.startswith("test/") for name in outcome.metrics)


def _brief(config: Config, outcome: Outcome) -> str:
    told = [f"test/{name}" for name in REPORTED[config.dataset.settings["task"]]]
    tests = [f"{name} {outcome.metrics[name]:.4f}" for name in told if name in outcome.metrics]
    return "  ".join(
        [
            f"    {config.objective} {outcome.objective:.4f}",
            *tests,
            f"{outcome.epochs} epochs in {outcome.seconds:.1f} s",
        ]
    )


def next_commands(config: Config, found: Sequence[Finding] = ()) -> list[str]:
    """Three commands worth trying after this run: its own, with something changed; first what its verdict proposes."""
    other = {"adam": "momentum"}.get(config.optimizer.choice, "adam")
    rate = float(config.lr)
    methods = "[dropout,early_stopping]" if "dropout" in config.model.settings else "[early_stopping]"
    proposed = [command_with(config, words) for one in found[:1] for words in one.overrides]
    general = [
        command(config, optimizer=other),
        command(config, regularization=methods, epochs=str(3 * config.epochs)),
        command(config, "-m", seeds="3", lr=f"{rate / 3:.1g},{rate:.3g}"),
    ]
    return list(dict.fromkeys([*proposed, *general]))[:MOST_NEXT]


def command_with(config: Config, words: str) -> str:
    """The run's own command with one override more, or instead."""
    key, _, value = words.partition("=")
    return command(config, **{key: value})


def command(config: Config, *flags: str, **changed: str) -> str:
    """The run's own overrides, but for those under a changed key. Another optimizer has its own lr, or finds it."""
    is_other = "optimizer" in changed
    replaced = {"resume", "outputs", *changed, *(["lr"] if is_other and not config.is_searched else [])}
    kept = [override for override in config.overrides if not replaced & _keys(override)]
    if config.is_searched and not is_other:
        kept = [override if override != f"lr={FIND}" else f"lr={config.lr}" for override in kept]
    words = [mask(override) for override in kept] + [f"{key}={value}" for key, value in changed.items()]
    return shlex.join(["python", "src/train.py", *flags, *words])


def _keys(override: str) -> set[str]:
    """What an override sets: its key, and the group that it is of."""
    key = override.lstrip("+").split("=")[0]
    return {key, key.split(".")[0]}


def _settings(config: Config, parts: Parts) -> Table:
    table = Table(title=escape(config.name), show_header=False, title_justify="left")
    for name, choice in config.choices.items():
        if choice != "none":
            table.add_row(name, choice)
    for label, names in _columns(config, parts.data):
        table.add_row(label, escape(cut(names, LONGEST_LINE)))
    rate = f"{config.lr:g}{' (found)' if config.is_searched else ''}"
    table.add_row("lr, batch size, epochs", f"{rate}, {config.batch_size}, {config.epochs}")
    table.add_row("seed, threads", f"{config.seed}, {parts.threads}")
    table.add_row("parameters, multiply-adds", f"{parts.parameters:,}, {parts.multiply_adds:,}")
    return table


def _columns(config: Config, data: Data) -> list[tuple[str, str]]:
    """How a table of one's own was read, and what of it was not."""
    if data.encoding is None:
        return []
    own = config.dataset.settings
    typed = [str(name) for name, kind in (own.get("types") or {}).items() if kind in ("ignore", "text")]
    unread = ", ".join([*map(str, own.get("ignore") or []), *typed])
    splits = {"training": data.train, "validation": data.val, "test": data.test}
    rows = ", ".join(f"{len(split):,} {name}" for name, split in splits.items() if split is not None)
    left_out = [("left out", unread)] if unread and own.get("text") is None else []
    return [*told(data.encoding), *left_out, ("rows", rows)]


def _results(config: Config, parts: Parts, outcome: Outcome) -> Table:
    table = Table()
    table.add_column("metric")
    columns = {"train": "best/train/", "validation": "best/val/", "test": "test/", "gap": "gap/"}
    for column in columns:
        table.add_column(column, justify="right")
    for name in REPORTED[parts.data.task]:
        values = [outcome.metrics.get(f"{prefix}{name}") for prefix in columns.values()]
        table.add_row(name, *("-" if value is None else f"{value:.4f}" for value in values))
    return table
