"""What may be executed: code of this repository with a diff of this machine, and targets of known packages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from descent import rules
from descent.errors import UsageError
from descent.reproduction import patches, trees

PACKAGES = ("torch", "torchvision", "pytorch_lightning", "descent")
# In those packages, but what they load or build may be anything.
LOADERS = (
    "torch.load",
    "torch.hub",
    "torch.jit",
    "torch.package",
    "torch.utils.cpp_extension",
    "torch.ops.load_library",
)


def code(
    repository: Path, source: Mapping[str, Any], trust: bool, tracked: Callable[[], bytes | None]
) -> tuple[str, bytes]:
    """Commit and diff of a run, or UsageError with what is missing; `tracked` asks the store for a copy of the diff."""
    commit, digest = source.get("commit"), str(source.get("diff_sha256", ""))
    if not commit:
        raise _refused("it was made outside git, or before runs kept their commit", "train it again from a commit")
    if not trees.has_commit(repository, str(commit)):
        raise _refused(f"its commit {str(commit)[:12]} is not in this repository", "git fetch it")
    patch = patches.kept(digest)
    if patch is not None:
        return str(commit), patch
    if not trust:
        raise _refused(
            f"its diff {digest[:12]} is no record of this machine", "trust=true takes it from the tracked run"
        )
    found = tracked()
    if found is None:
        raise _refused(
            f"its diff {digest[:12]} is neither kept here nor with the tracked run", "it cannot be made again"
        )
    return str(commit), found


def refuse_targets(composed: Mapping[str, Any], trusted: Sequence[str]) -> None:
    """Whatever is named to be built has to come from where nothing else is executed."""
    for target in _targets(composed):
        package = target.partition(".")[0]
        is_loader = any(target == loader or target.startswith(f"{loader}.") for loader in LOADERS)
        if package in trusted or (package in PACKAGES and not is_loader):
            continue
        allowed = f"of {' | '.join(PACKAGES)}"
        raise rules.refuse("_target_", target, allowed, f"trusted_modules={package} allows it, once you have read it")


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    for item in node if isinstance(node, list) else []:
        yield from _targets(item)


def _refused(what: str, hint: str) -> UsageError:
    return UsageError(rules.cut(f"run: {what}; {hint}", rules.LONGEST_LINE))
