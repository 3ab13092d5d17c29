"""Which code and which machine a run came from, complete enough to build the same tree again."""

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

LARGEST_UNTRACKED = 1 << 20
LIBRARIES = ("torch", "torchvision", "pytorch-lightning", "mlflow", "hydra-core", "optuna", "numpy", "scikit-learn")

# The patch must be the same whatever the user has configured, and apply everywhere.
_DIFF = ["diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"]
_DIFF += ["--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"]


@dataclass(frozen=True)
class Source:
    """The code of a run: `commit` is None outside a git repository or before its first commit.

    `diff` is a patch that `git apply` takes, as text with surrogate escapes for bytes that are not UTF-8;
    `diff_sha256` is the digest of its bytes, of no bytes where nothing differs.
    """

    commit: str | None
    branch: str | None
    dirty: bool
    diff: str
    diff_sha256: str


NO_SOURCE = Source(None, None, False, "", hashlib.sha256(b"").hexdigest())


def code_and_machine(root: Path) -> tuple[Source, dict[str, str]]:
    """What a run came from."""
    return source_state(root), environment_facts(root)


of_this_process = cache(code_and_machine)  # a process runs what it has imported, whatever becomes of the files


def source_state(root: Path) -> Source:
    """Commit and everything in the working tree that differs from it; the user's index is only read."""
    found = git(root, ["rev-parse", "--git-path", "index", "--git-path", "objects", "--show-toplevel"])
    if found is None:
        return NO_SOURCE
    index, objects, top = os.fsdecode(found).rstrip("\n").split("\n", 2)
    head = git(root, ["rev-parse", "-q", "HEAD", "--abbrev-ref", "HEAD"])
    commit, branch = os.fsdecode(head).split() if head else (None, None)
    patch = _patch(Path(top), root / index, root / objects, commit)
    digest = hashlib.sha256(patch).hexdigest()
    return Source(commit, None if branch == "HEAD" else branch, bool(patch), _text(patch), digest)


def _patch(top: Path, index: Path, objects: Path, commit: str | None) -> bytes:
    """Working tree against the commit. Git writes to a copy of the index and an object folder of our own."""
    with tempfile.TemporaryDirectory(prefix="descent-git-") as scratch:
        own = {"GIT_INDEX_FILE": f"{scratch}/index", "GIT_OBJECT_DIRECTORY": f"{scratch}/objects"}
        own |= {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects.resolve()), "GIT_LITERAL_PATHSPECS": "1"}
        Path(own["GIT_OBJECT_DIRECTORY"]).mkdir()
        if index.exists():
            shutil.copy(index, own["GIT_INDEX_FILE"])
        listed = git(top, ["ls-files", "--others", "--exclude-standard", "-z"], own) or b""
        names, notes = _within_limit(top, listed.split(b"\0")[:-1])
        if names:
            git(
                top, ["add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul"], own, b"\0".join(names)
            )
        against = commit or os.fsdecode(git(top, ["hash-object", "-t", "tree", "/dev/null"]) or b"").strip()
        diff = git(top, [*_DIFF, against, "--"], own)
    return b"".join(notes) + (b"# the difference could not be read\n" if diff is None else diff)


def _within_limit(top: Path, names: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Untracked files that go into the patch, and a line for each that does not. Text before a patch is ignored."""
    kept, notes = [], []
    for name in names:
        path = top / os.fsdecode(name)
        if name.endswith(b"/"):
            notes.append(b"# left out: %s (a repository of its own)\n" % _one_line(name))
        elif (size := path.lstat().st_size) > LARGEST_UNTRACKED:
            notes.append(b"# left out: %s (%d bytes, more than %d)\n" % (_one_line(name), size, LARGEST_UNTRACKED))
        else:
            kept.append(name)
    return kept, notes


def environment_facts(root: Path) -> dict[str, str]:
    """Versions and hardware as flat text, one key each. Asks for the GPU only where torch is loaded already."""
    lock = root / "requirements.lock"
    facts = {"lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest()} if lock.is_file() else {}
    facts |= {"python": platform.python_version(), "os": platform.platform(), "host": platform.node()}
    facts |= {"cpu": _cpu_model(), "cores": str(os.cpu_count() or 1)}
    for library in LIBRARIES:
        if version := _version(library):
            facts[library.replace("-", "_")] = version
    if gpus := _gpus():
        facts["gpu"] = gpus
    return facts


def git(folder: Path, arguments: list[str], own: dict[str, str] | None = None, given: bytes = b"") -> bytes | None:
    """What git prints, or None when it cannot: not installed, not a repository, damaged."""
    # A hook's GIT_DIR and GIT_INDEX_FILE would point at another repository than `folder`.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=true", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=given,
            capture_output=True,
            env={**inherited, **(own or {}), "LC_ALL": "C"},
            check=False,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _one_line(name: bytes) -> bytes:
    return name.replace(b"\n", b"\\n")


def _text(patch: bytes) -> str:
    return patch.decode("utf-8", "surrogateescape")


@lru_cache(maxsize=64)
def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _gpus() -> str:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
