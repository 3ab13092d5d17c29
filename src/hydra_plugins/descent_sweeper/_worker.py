"""A process that takes one trial after another from a study, as long as there are any and its leader lives."""

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from descent import door, trials
from descent.errors import DescentError, Interrupted
from hydra_plugins.descent_sweeper._search_space import Parameter, overrides_of
from hydra_plugins.descent_sweeper._voices import Voice

if TYPE_CHECKING:
    from hydra_plugins.descent_sweeper._stopping import Stopping
    from hydra_plugins.descent_sweeper._study import Claim, Queue

Direction = Literal["minimize", "maximize"]
End = Callable[[], None]

PROGRAM = "from hydra_plugins.descent_sweeper._worker import main; main()"
LOGS = "logs"
HALVED = "out_of_memory"  # the overrides with which a trial was tried again


@dataclass(frozen=True)
class Plan:
    """Everything that a worker needs to know of its study; plain values, for it crosses to other processes."""

    directory: str
    parameters: list[dict[str, Any]]
    overrides: list[str]  # of every trial, before its own point
    search: str
    search_knobs: dict[str, Any]
    pruner: str
    pruner_knobs: dict[str, Any]
    stopping: dict[str, Any]
    objectives: list[str]
    directions: list[Direction]
    seed: int
    parent: str  # the study's run
    own_threads: bool = False  # whether the first override, threads=1, is the search's own
    searchpath: list[str] = field(default_factory=list)  # where else than in conf/ choices lie
    primary: list[str] = field(default_factory=list)  # another folder and file than conf/config.yaml
    total: int = sys.maxsize  # trials from this number on are not wanted now
    code: str = ""  # the mark of what trials are made with now
    storage: str = "journal"
    name: str = "descent"  # of the study, in its storage
    tested_from: int = sys.maxsize  # trials from this number on read the test split: the repeats of a race's best

    @property
    def space(self) -> list[Parameter]:
        """The parameters, as they were before they crossed."""
        made = []
        for said in self.parameters:
            when = tuple((key, tuple(allowed)) for key, allowed in said["when"])
            made.append(Parameter(**{**said, "choices": tuple(said["choices"]), "when": when}))
        return made

    def written(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def main() -> None:
    """Read a plan, then work."""
    order = ordered()
    raise SystemExit(work(Plan(**order["plan"]), Voice(order["voice"])))


def ordered() -> dict[str, Any]:
    """What the leader says first, heard when everything that a training needs is imported."""
    trials.get_ready()
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)  # the leader has come to nothing
    order: dict[str, Any] = json.loads(line)
    trials.die_with_parent(int(order["leader"]))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    printed_to(Path(order["log"]))
    return order


def work(plan: Plan, voice: Voice) -> int:
    """Trial after trial; the exit code is 0, or that of the signal that ended it."""
    from hydra_plugins.descent_sweeper import _storages
    from hydra_plugins.descent_sweeper._pruners import pruner_for
    from hydra_plugins.descent_sweeper._stopping import Stopping
    from hydra_plugins.descent_sweeper._study import Queue

    queue, stopping = Queue(Path(plan.directory), plan.space, plan.storage, plan.name), Stopping(**plan.stopping)
    queue.code = plan.code
    queue.open()
    trials.ship_through(voice.order)
    queue.study.pruner = pruner_for(plan.pruner, plan.pruner_knobs)
    with _ends(_goes_ahead(plan.search, plan.pruner, stopping)) as told:
        while claim := queue.claim(plan.search, plan.search_knobs, plan.seed, stopping, plan.total):
            directory, ends = queue.directory / str(claim.number), list[End]()
            try:
                with logged(log_of(queue.directory, claim.number)):
                    came_to = _trained(plan, claim, directory, voice, ends.append)
            except (Interrupted, KeyboardInterrupt) as stop:
                for end in ends:  # it was trained: whoever goes on with it finds it finished
                    end()
                queue.give_back(claim)
                return stop.exit_code if isinstance(stop, Interrupted) else 143
            except Exception as error:
                if _storages.is_fault_of_storage(error):
                    raise  # it is no fault of the trial, which another worker goes on with
                _fail(queue, claim, error)
                continue
            told(partial(_tell, plan, queue, claim, came_to, ends))
    return 0


def _goes_ahead(search: str, pruner: str, stopping: "Stopping") -> bool:
    """Whether a trial may begin before it is known what the last one came to."""
    from hydra_plugins.descent_sweeper._pruners import COMPARING
    from hydra_plugins.descent_sweeper._samplers import KINDS

    return not (KINDS[search].learns or pruner in COMPARING or stopping.learns)


@contextmanager
def _ends(ahead: bool) -> Iterator[Callable[[End], None]]:
    """What becomes of the ends of trials: they are told at once, or `ahead`, one after another while the next begins.

    For those that wait for the disk, on which a trial is before its study hears of it.
    """
    if not ahead:
        yield lambda end: end()
        return
    last: Future[None] | None = None

    def told(end: End) -> None:
        nonlocal last
        earlier, last = last, aside.submit(_after, last, end)  # before the wait, in which somebody may say to stop
        if earlier:
            _waited_for(earlier)

    with ThreadPoolExecutor(1) as aside:
        yield told
        if last:
            _waited_for(last)


def _waited_for(end: "Future[None]") -> None:
    end.result()


def _after(earlier: Future[None] | None, end: End) -> None:
    """Nothing is told after an end that could not be told; the traceback is in the log, whatever ends the worker."""
    import traceback

    if earlier:
        earlier.result()
    try:
        end()
    except Exception:
        traceback.print_exc()
        raise


def _tell(plan: Plan, queue: "Queue", claim: "Claim", came_to: trials.CameTo, ends: Sequence[End]) -> None:
    """Put a trial's end on the disk, and then tell what came of it."""
    from optuna.trial import TrialState

    try:
        for end in ends:
            end()
    except Exception as error:
        _fail(queue, claim, error)
        return
    if came_to.pruned:
        queue.finish(claim, TrialState.PRUNED)
    elif any(map(math.isnan, came_to.values)):
        cause = f"{' '.join(plan.objectives)}: got {' '.join(map(str, came_to.values))}, allowed a number"
        queue.finish(claim, TrialState.FAIL, cause=cause)
    else:
        queue.finish(claim, TrialState.COMPLETE, came_to.values)


def _fail(queue: "Queue", claim: "Claim", error: Exception) -> None:
    from optuna.trial import TrialState

    complain(log_of(queue.directory, claim.number), error)
    cause = door.one_line(error) if isinstance(error, DescentError | OSError) else _internal(error)
    queue.finish(claim, TrialState.FAIL, cause=cause)


def _trained(
    plan: Plan, claim: "Claim", directory: Path, voice: Voice, afterwards: Callable[[End], None]
) -> trials.CameTo:
    """Where memory is too small once more, with half the minibatch: every attempt from then on."""
    if HALVED not in claim.trial.user_attrs:
        try:
            return trials.run(_trial(plan, claim, directory, voice, afterwards))
        except Exception as error:
            words = trials.within_memory(_trial(plan, claim, directory, voice, afterwards), error)
            if not words:
                raise
            complain(log_of(Path(plan.directory), claim.number), error)
        claim.trial.set_user_attr(HALVED, words)
        trials.give_memory_back()
        print(f"out of memory: once more with {' '.join(words)}", flush=True)
    return trials.run(_trial(plan, claim, directory, voice, afterwards))


def _trial(
    plan: Plan, claim: "Claim", directory: Path, voice: Voice, afterwards: Callable[[End], None]
) -> trials.Trial:
    def report(value: float, epoch: int) -> bool:
        claim.trial.report(value, epoch)
        return bool(claim.trial.should_prune())

    halved = claim.trial.user_attrs.get(HALVED, [])
    return trials.Trial(
        directory=directory,
        tags={HALVED: " ".join(halved)} if halved else {},
        overrides=trials.with_instead([*plan.overrides, *overrides_of(claim.point)], halved),
        parent=plan.parent,
        searchpath=plan.searchpath,
        report=report if plan.pruner != "none" else None,
        objectives=plan.objectives,
        primary=plan.primary,
        each=plan.pruner == "wilcoxon",
        name=" ".join(overrides_of(claim.point)),
        told=partial(voice.epoch, claim.number),
        tested=claim.number >= plan.tested_from,
        afterwards=afterwards,
    )


def log_of(directory: Path, number: int) -> Path:
    """What a trial has printed."""
    return directory / LOGS / f"{number}.log"


def printed_to(file: Path) -> None:
    """From now on, whoever prints it."""
    with file.open("ab") as log:
        sys.stdout.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


@contextmanager
def logged(file: Path) -> Iterator[None]:
    """What the trial prints goes to its own file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    before = os.dup(1), os.dup(2)
    printed_to(file)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in enumerate(before, 1):
            os.dup2(kept, number)
            os.close(kept)


def complain(file: Path, error: Exception) -> None:
    """The whole traceback, into the trial's log."""
    import traceback

    with file.open("a") as log:
        traceback.print_exception(error, file=log)


def _internal(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
