"""The child of a reproduction: trains once more what its standard input orders, with the code that it stands in.

`python src/descent/reproduction/rerunning.py` of a run's own tree. The order is one line of JSON, see `Order`: it is
what a later version of this program says to this one, so keys are added and never change their meaning.
"""

import json
import os
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Order:
    """`composed`, `choices`, `overrides` and `many` are of `provenance.json`, the rest is what the run came to."""

    parent: int  # the process without which this one ends
    directory: str
    name: str
    reproduces: str  # the run's local id
    composed: dict[str, Any]
    choices: dict[str, Any]
    overrides: list[str] = field(default_factory=list)
    many: bool = False
    totals: list[int] = field(default_factory=list)  # of epochs: a run that was extended is trained to each in turn
    threads: int = 1
    tested: bool = True  # whether the test split was there
    ended: int | None = None  # after so many epochs somebody who watched had ended it


def main() -> None:
    """Train; a fault is one line and the exit code of its kind."""
    order = taken(json.loads(sys.stdin.readline()))
    from descent import door, lifeline

    lifeline.die_with_parent(order.parent)
    door.or_exit(lambda: rerun(order))


def taken(said: dict[str, Any]) -> Order:
    """The order in what was said; a key that this version does not know is left alone."""
    known = {one.name for one in fields(Order)}
    return Order(**{key: value for key, value in said.items() if key in known})


def rerun(order: Order) -> None:
    """Into the order's directory, as a run of its own."""
    from descent import place, signatures
    from descent.config import parse, varied

    config = parse(order.composed, order.choices, order.overrides, one_of_many=order.many)
    signatures.check(config)
    directory = Path(order.directory)
    for total in order.totals:
        one = varied(config, epochs=total, resume="auto") if total != config.epochs else config
        tracking = replace(one.tracking, model=False, pictures=False)
        one = replace(one, tracking=tracking, tags={**one.tags, "reproduces": order.reproduces})
        if place.read(directory) is None:
            directory.mkdir(parents=True, exist_ok=True)
            place.begin(directory, one).kept(threads=order.threads)
        _train(order, one, directory)


def _train(order: Order, config: Any, directory: Path) -> None:
    from descent import assembly, training
    from descent.watching import Watch

    data = assembly.load(config)
    if not order.tested:
        data = replace(data, test=None)
    ended = order.ended
    watch = [] if ended is None else [Watch(config.objective, config.epochs, lambda _, epoch: epoch + 1 >= ended)]
    training.train_one(config, directory, data, also=watch, name=order.name)


if __name__ == "__main__":
    sys.path[0] = os.fspath(Path(__file__).resolve().parents[2])  # src/ of this tree, in the place of this folder
    main()
