"""What becomes of the run that a directory holds already: it goes on, is extended, shown again, or put aside."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from descent import identity, ownership, place, processes, rules
from descent.errors import UsageError
from descent.finding import KEY, WORDS
from descent.place import Damaged, Place

if TYPE_CHECKING:
    from descent.assembly import Parts
    from descent.config import Config
    from descent.data.split import Data
    from descent.identity import Identity


@dataclass(frozen=True)
class Decision:
    """What is done, and the line that says so."""

    kind: Literal["untouched", "anew", "continued", "extended", "finished"]
    line: str = ""


def decide(resume: str, earlier: Place, now: "Identity") -> Decision:
    """What `resume` makes of an earlier run, or UsageError where it names a run that is another training."""
    if resume == "never":
        return Decision("anew", "started anew: resume=never")
    if earlier.identity is None:
        return Decision("untouched")  # it ended before its parts were built
    if differing := "; ".join(identity.differences(earlier.identity, now)):
        if resume not in WORDS:
            line = f"{KEY}: {rules.cut(resume, 60)} is another training: {differing}; leave that out, or {KEY} too"
            raise UsageError(rules.cut(line, rules.LONGEST_LINE))
        return Decision("anew", rules.cut(f"started anew: {differing}", rules.LONGEST_LINE))
    if now.epochs > earlier.identity.epochs:
        totals = f"from {earlier.identity.epochs} to {now.epochs} epochs"
        return Decision("extended", f"extended {totals}: the schedule is recomputed")
    if now.seeds > earlier.identity.seeds:
        return Decision("extended", f"extended from {earlier.identity.seeds} to {now.seeds} seeds")
    if earlier.finished:
        return Decision("finished", f"finished before: nothing is trained, {KEY}=never starts anew")
    return Decision("continued")


def enter(config: "Config", directory: Path, data: "Data | None" = None, parent: str = "") -> Place:
    """Claim the directory and settle what becomes of the run in it; a finished one is shown again.

    Data that was loaded before is not loaded again. Where it raises, no file in the directory has changed.
    """
    place.refuse_foreign(directory, "hydra.sweep.dir" if config.one_of_many else "hydra.run.dir")
    ownership.claim(directory)
    try:
        return _settled(config, directory.resolve(), data, parent)
    except BaseException:
        ownership.release(directory)
        raise


@contextmanager
def sitting(config: "Config", directory: Path, data: "Data | None" = None, parent: str = "") -> Iterator[Place]:
    """The run of a directory, held while the body runs; entered here unless the door has done it."""
    if ownership.holds(directory):
        ownership.claim(directory)
    else:
        enter(config, directory, data, parent)
    try:
        run = place.read(directory.resolve())
        assert run is not None, "who enters leaves a run.json"
        yield run
    finally:
        ownership.release(directory)


def adopt(run: Place, config: "Config", parts: "Parts") -> tuple[Place, "Parts"]:
    """The run with its identity on disk, and its parts with the threads that its first sitting had."""
    threads = run.threads or parts.threads
    if run.identity is None:
        made = identity.identity_of(config, parts.data.digest)
        run = run.noted(identity=made, threads=threads, lr_found=config.lr_found)
    return run, replace(parts, threads=threads)


def checkpoint(run: Place) -> Path | None:
    """The state that the run goes on from; None at its beginning."""
    from descent.checkpoints import Checkpoints

    checkpoints = Checkpoints(run.directory / "checkpoints")
    checkpoints.sweep()
    return checkpoints.newest()


def announce(run: Place, config: "Config", parts: "Parts", checkpoint: Path | None) -> None:
    """Say where a later sitting goes on."""
    if run.resumed:
        from descent.checkpoints import place_of

        epoch, step = place_of(checkpoint) if checkpoint else (0, 0)
        _say(continued(run, parts, epoch, step), config)


def continued(run: Place, parts: "Parts", epoch: int, step: int) -> str:
    """`continued at epoch 12, step 540 (3rd sitting)`; a training that is complete is at its last epoch."""
    epoch = min(epoch + 1, parts.engine.recipe.epochs)
    return f"continued at epoch {epoch}, step {step} ({_ordinal(run.resumed + 1)} sitting)"


def _settled(config: "Config", directory: Path, data: "Data | None", parent: str) -> Place:
    try:
        earlier = place.read(directory)
    except Damaged:
        if config.resume != "never" and not place.is_blank(directory):
            raise
        place.set_aside(directory, f"unreadable-{uuid.uuid4().hex[:8]}")
        earlier = None
    if earlier is not None:
        return _carried_out(config, earlier, data)
    if config.resume in WORDS:
        return place.begin(directory, config, parent)
    allowed = "auto | never | a run's id, name or directory"
    raise rules.refuse(KEY, config.resume, allowed, "an id is taken on the command line of a single run")


def _refuse_several_devices(config: "Config", earlier: Place) -> None:
    if config.trainer["devices"] > 1 and config.resume != "never" and earlier.identity is not None:
        hint = f"{KEY}=never starts anew"
        raise rules.refuse("trainer.devices", config.trainer["devices"], "1 for a run that goes on", hint)


def _carried_out(config: "Config", earlier: Place, data: "Data | None") -> Place:
    """The parts are built first: what they refuse is refused before a file has moved."""
    from descent import assembly

    _refuse_several_devices(config, earlier)
    data = data or assembly.load(config)
    now = identity.identity_of(config, data.digest)
    decision = decide(config.resume, earlier, now)
    if decision.kind == "extended" and not _has_its_end(earlier, now):
        decision = _instead_of_extending(config.resume)
    parts = assembly.assemble(config, data)
    _say(decision.line, config)
    if decision.kind == "finished":
        _show_again(config, replace(parts, threads=earlier.threads or parts.threads), earlier)
        return earlier
    if decision.kind == "anew":
        place.set_aside(earlier.directory, earlier.local_id)
        return place.begin(earlier.directory, config, earlier.parent)
    if decision.kind == "untouched":
        return earlier.kept(name=config.name, overrides=place.given(config))
    return _gone_on(config, earlier, now)


def _has_its_end(earlier: Place, now: "Identity") -> bool:
    """Whether a finished run has left what more epochs go on from: a trial does not, nor does what was pruned."""
    if not earlier.finished or now.repeated:
        return True  # what is not finished goes on from where it is; of repeats each is asked for itself
    from descent import record
    from descent.checkpoints import place_of

    newest = checkpoint(earlier)
    return newest is not None and place_of(newest)[0] >= record.outcome_of(earlier).epochs


def _instead_of_extending(resume: str) -> Decision:
    lacking = "its state at the end is not kept"
    if resume not in WORDS:
        hint = "a search's trials have none, and pruned runs; train it anew without resume"
        raise UsageError(f"{KEY}: {rules.cut(resume, 60)} cannot be given more epochs: {lacking}: {hint}")
    return Decision("anew", f"started anew: {lacking}, and more epochs could not go on from there")


def _gone_on(config: "Config", earlier: Place, now: "Identity") -> Place:
    assert earlier.identity is not None
    if changed := identity.warnings(earlier.identity, now):
        print(f"warning: {', '.join(changed)} since this run began: the last bits may differ", file=sys.stderr)
    totals = (earlier.identity.epochs,) if now.epochs > earlier.identity.epochs else ()
    return earlier.kept(
        name=config.name,
        overrides=place.given(config),
        identity=now,
        state="unfinished",
        resumed=earlier.resumed + 1,
        extended_from=(*earlier.extended_from, *totals),
    )


def _show_again(config: "Config", parts: "Parts", run: Place) -> None:
    from descent import diagnosing, record, repeated, report

    run = replace(run, where=record.where(config, run))
    if config.repeated:
        repeated.show(Console(), config, repeated.read(run), run)
        return
    outcome = record.outcome_of(run)
    config = config.at(run.lr_found) if run.lr_found else config
    report.show(Console(), config, parts, outcome, diagnosing.read(run.directory), run.where, run.directory)


def _say(line: str, config: "Config") -> None:
    if line and processes.rank() == 0:
        print(f"    {line}" if config.one_of_many else line, flush=True)


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
