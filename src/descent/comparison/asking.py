"""Which of its two questions a command line of `compare.py` asks: groups by something, or one run against another."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from descent import rules

OF_TWO = ("runs", "code")
PLAIN = {"metric": "auto", "direction": "auto", "costs": False, "report": False, "tracking.experiment": "descent"}


@contextmanager
def uncollected() -> Iterator[None]:
    """What is imported and read here is all kept: to look for garbage in it again and again takes half of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def answer(request: dict[str, Any]) -> None:
    """Groups with `by=…`, else two runs; a key that has no meaning beside the others is refused in one line."""
    if request["by"] is not None:
        if request["code"]:
            raise rules.refuse("code", True, "nothing with by=…", "it belongs to two runs: runs=a,b")
        with uncollected():
            from descent.comparison.comparing import run

            run({key: value for key, value in request.items() if key != "code"})
        return
    given = {key: value for key, value in request.items() if key not in ("filters", "by", *OF_TWO)}
    other = {key: value for key, value in given.items() if value != PLAIN.get(key)} | request["filters"]
    if request["runs"] is None:
        raise rules.refuse("by", "nothing", "what the groups differ in", "set by=optimizer, or two runs with runs=a,b")
    for key, value in other.items():
        hint = rules.near(key, request) if key in request["filters"] else ""
        raise rules.refuse(key, value, "nothing without by=…", hint or "runs=a,b takes code=true alone")
    from descent.comparison.two import compare

    compare(request["runs"], request["code"])
