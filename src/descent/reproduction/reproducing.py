"""`python src/reproduce.py run=…`: this is the table of contents."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from descent import ownership, place, rules
from descent.comparison import account, showing
from descent.comparison.account import Account
from descent.comparison.differing import Differences, differences
from descent.config import project_root, source_root
from descent.durable import write_json
from descent.errors import DataError, DescentError, UsageError
from descent.finding import meant
from descent.interruption import interruptible
from descent.place import Place
from descent.reproduction import environments, explaining, permission, recording, regaining, trees
from descent.reproduction.rerunning import Order
from descent.tracking.destination import Destination
from descent.tracking.fetching import artifact, shown_name
from descent.tracking.outbox import stored_id
from descent.tracking.run import open_run
from descent.tracking.secrets import HIDDEN
from descent.watching import PRUNED

KEY, FOLDER = "run", "reproductions"
DIFFERENT = 6
PATCH = "source/diff.patch"
PROGRAM = Path("src", "descent", "reproduction", "rerunning.py")


class Failed(DescentError):
    """The training of a reproduction ended with a fault, which has told its line."""

    def __init__(self, line: str, code: int) -> None:
        super().__init__(rules.cut(line, rules.LONGEST_LINE))
        self.exit_code = code


def reproduce(run: str, explain: bool, environment: str, trust: bool, trusted_modules: str | None) -> int:
    """0 where every bit came out again, DIFFERENT where one did not."""
    root = project_root()
    found = _meant(run, root)
    parts = [place.read(child) for child in account.children(found)] or [found]
    runs = [account.of(part) for part in parts if part is not None]
    if explain:
        for one in runs:
            print(*explaining.lines(one, recording.checked(one.directory), source_root()), sep="\n")
        return 0
    trusted = [name.strip() for name in (trusted_modules or "").split(",")]
    came = [_again(one, environment, trust, trusted) for one in runs]
    return 0 if all(came) else DIFFERENT


def _meant(text: str, root: Path) -> Place:
    """The run of the text; where its directory is gone, as the tracking store has it."""
    try:
        return meant(text, root, stored_id, KEY)
    except UsageError:
        if (found := regaining.regained(text, root)) is None:
            raise
        return found


def _again(run: Account, environment: str, trust: bool, trusted: list[str]) -> bool:
    said, repository = recording.checked(run.directory), source_root()
    permission.refuse_targets(said.get("composed", {}), trusted)
    commit, patch = permission.code(repository, run.source, trust, lambda: _tracked_diff(run, said))
    _refuse_lost_data(said["composed"])
    diff = f" with diff {run.source['diff_sha256'][:12]}" if patch else ""
    print(f"run: {run.shown} ({run.directory})", f"code: {commit[:12]}{diff}", sep="\n", flush=True)
    with interruptible(), trees.tree(repository, commit, patch) as tree:
        if not (tree / PROGRAM).exists():
            raise UsageError(f"run: its commit {commit[:12]} is older than reproductions; train it again")
        python = environments.python_of(environment, tree)
        with _directory(run) as directory:
            _train(python, tree, _order(run, said, tree, directory))
            again = place.read(directory)
            assert again is not None, "a run that ended well has left its run.json"
            found = differences(run, account.of(again))
    for line in (*showing.outcome(run, found), *showing.causes(found)):
        print(line)
    _log(run, again, found, said["composed"]["tracking"])
    print(f"reproduction: {directory}")
    return found.identical


def _tracked_diff(run: Account, said: Mapping[str, Any]) -> bytes | None:
    destination = _destination(said["composed"]["tracking"])
    return None if destination.kind == "none" else artifact(destination, run.directory, PATCH)


def _destination(tracking: Mapping[str, Any]) -> Destination:
    return Destination(tracking["kind"], _uri(tracking), tracking["experiment"], project_root())


def _refuse_lost_data(composed: Mapping[str, Any]) -> None:
    path = composed["dataset"].get("path")
    if path is not None and not Path(path).exists():
        raise DataError(rules.cut(f"dataset.path: {path} is not there; put it back", rules.LONGEST_LINE))


@contextmanager
def _directory(run: Account) -> Iterator[Path]:
    """A new one; where the body raises it goes again."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
    directory = ownership.made(project_root() / FOLDER / f"{stamp}-{run.local_id[:8]}")
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        if not any(directory.parent.iterdir()):
            directory.parent.rmdir()
        raise


def _order(run: Account, said: Mapping[str, Any], tree: Path, directory: Path) -> Order:
    return Order(
        parent=os.getpid(),
        directory=str(directory),
        name=f"again {run.name}",
        reproduces=run.local_id,
        composed=_composed(said, tree),
        choices=said["choices"],
        overrides=said["overrides"],
        many=said["many"],
        totals=[*said["extended_from"], run.identity.epochs],
        threads=int(run.resolved["threads"]),
        tested=bool(run.resolved["tested"]),
        ended=run.epochs if run.stopped_because == PRUNED else None,
    )


def _composed(said: Mapping[str, Any], tree: Path) -> dict[str, Any]:
    """As it was, but for what only told where to look and where to write."""
    composed: dict[str, Any] = json.loads(json.dumps(said["composed"]))
    composed["resume"], composed["tracking"]["uri"] = "auto", _uri(composed["tracking"])
    composed["trainer"]["enable_progress_bar"] = False
    path, root = composed["dataset"].get("path"), said["source"]["root"]
    if path is not None and Path(path).is_relative_to(root):
        own = tree / Path(path).relative_to(root)  # a file of the repository: as the commit has it
        composed["dataset"]["path"] = str(own if own.exists() else path)
    return composed


def _uri(tracking: Mapping[str, Any]) -> str | None:
    uri = tracking["uri"]
    return None if uri is None or HIDDEN in uri else str(uri)


def _train(python: str, tree: Path, order: Order) -> None:
    """In a process that ends with this one; its words are kept with the run."""
    environment = {**os.environ, "DESCENT_ROOT": str(project_root()), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("HYDRA_FULL_ERROR", None)
    log = Path(order.directory, "log.txt")
    with log.open("w") as words:
        process = subprocess.Popen(
            [python, str(tree / PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=words,
            stderr=words,
            env=environment,
            cwd=tree,
            text=True,
        )
        try:
            process.communicate(json.dumps(asdict(order)) + "\n")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        last = ([line for line in log.read_text().splitlines() if line.strip()] or ["it said nothing"])[-1]
        raise Failed(last, process.returncode if process.returncode > 0 else 128 - process.returncode)


def _log(run: Account, again: Place, found: Differences, tracking: Mapping[str, Any]) -> None:
    """The verdict, as tags of both runs and beside the new one."""
    verdict = "identical" if found.identical else "different"
    reason = "; ".join(change.shown for change in found.causes)
    said = {"verdict": verdict, "probable_cause": reason, "reproduces": run.local_id, "run": str(run.directory)}
    write_json(again.directory / "verdict.json", said)
    if tracking["kind"] == "none":
        return
    destination = _destination(tracking)
    mine = {"reproduced": verdict, "reproduced_by": again.local_id, "reproduced_cause": reason}
    theirs = {"reproduction": verdict, "reproduces": run.local_id, "reproduction_cause": reason}
    for directory, local_id, tags in (
        (run.directory, run.local_id, mine),
        (again.directory, again.local_id, theirs),
    ):
        name = shown_name(directory) or (run.name if stored_id(directory) else None)
        if name is None:
            continue
        with (
            ownership.held(directory),
            open_run(destination, directory, name=name, tags={}, local_id=local_id) as record,
        ):
            record.tags({key: value for key, value in tags.items() if value})
