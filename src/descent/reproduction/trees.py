"""The code of a run as a working tree of its own: a commit and a diff, in a temporary place, and gone afterwards."""

import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from descent import rules
from descent.errors import EnvironmentFault, UsageError
from descent.ownership import is_alive, this_process
from descent.tracking.provenance import git

PREFIX = "descent-tree"
_NAMED = re.compile(rf"{PREFIX}-(\d+)-(\d+)-\w+")
_NO_HOOKS = ["-c", "core.hooksPath=/dev/null"]
LONGEST_DIFF = 200  # lines of it that are shown


def has_commit(repository: Path, commit: str) -> bool:
    """Whether the repository holds it."""
    return re.fullmatch(r"[0-9a-f]{7,64}", commit) is not None and (
        git(repository, ["cat-file", "-e", f"{commit}^{{commit}}"]) is not None
    )


@contextmanager
def tree(repository: Path, commit: str, patch: bytes) -> Iterator[Path]:
    """A working tree as the run had it; what a killed process left of such trees goes first."""
    _clear_abandoned(repository)
    me = this_process()
    folder = Path(tempfile.gettempdir(), f"{PREFIX}-{me.pid}-{int(100 * me.started)}-{uuid.uuid4().hex[:8]}")
    try:
        if git(repository, [*_NO_HOOKS, "worktree", "add", "--quiet", "--detach", str(folder), commit]) is None:
            raise EnvironmentFault(f"git: commit {commit[:12]} cannot be checked out to {folder}")
        _apply(folder, patch)
        yield folder
    finally:
        git(repository, ["worktree", "remove", "--force", "--force", str(folder)])
        shutil.rmtree(folder, ignore_errors=True)
        git(repository, ["worktree", "prune"])


def _apply(folder: Path, patch: bytes) -> None:
    if b"diff --git " not in patch:
        return  # nothing, or notes about files that were left out
    if git(folder, ["apply", "--binary", "--whitespace=nowarn", "-"], given=patch) is None:
        hint = "it was changed or masked; reproduce from a clean commit"
        raise UsageError(rules.cut(f"run: its recorded diff does not apply to its commit; {hint}", rules.LONGEST_LINE))


def _clear_abandoned(repository: Path) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        named = _NAMED.fullmatch(folder.name)
        if named and not is_alive(int(named[1]), int(named[2]) / 100):
            shutil.rmtree(folder, ignore_errors=True)
    git(repository, ["worktree", "prune"])


def difference(repository: Path, a: Mapping[str, Any], b: Mapping[str, Any], patches: tuple[bytes, bytes]) -> list[str]:
    """What `git diff` prints from one run's code and settings to the other's; nothing where a part is missing."""
    with tempfile.TemporaryDirectory(prefix="descent-git-") as scratch:
        made = [
            _tree_id(repository, Path(scratch), source, patch) for source, patch in zip((a, b), patches, strict=True)
        ]
        if None in made:
            return []
        own = _own(repository, Path(scratch))
        said = git(repository, ["diff", "--no-color", "--no-ext-diff", *map(str, made), "--", "src", "conf"], own)
    lines = (said or b"").decode(errors="replace").splitlines()
    more = [f"… and {len(lines) - LONGEST_DIFF} lines more"] if len(lines) > LONGEST_DIFF else []
    return [*lines[:LONGEST_DIFF], *more]


def _tree_id(repository: Path, scratch: Path, source: Mapping[str, Any], patch: bytes) -> str | None:
    """Of the commit with the patch, in an index and an object folder of our own."""
    commit = str(source.get("commit"))
    if not has_commit(repository, commit):
        return None
    own = _own(repository, scratch)
    top = Path((git(repository, ["rev-parse", "--show-toplevel"]) or b".").decode().strip())
    if git(top, ["read-tree", commit], own) is None:
        return None
    if b"diff --git " in patch and git(top, ["apply", "--cached", "--binary", "-"], own, patch) is None:
        return None
    written = git(top, ["write-tree"], own)
    return None if written is None else written.decode().strip()


def _own(repository: Path, scratch: Path) -> dict[str, str]:
    objects = (git(repository, ["rev-parse", "--git-path", "objects"]) or b"").decode().strip()
    (scratch / "objects").mkdir(exist_ok=True)
    return {
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((repository / objects).resolve()),
    }
