"""What may be executed: code of this repository with a diff of this machine, and what trainings are made of."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from descent import rules
from descent.errors import UsageError
from descent.reproduction import patches, trees

# A name that stands there itself: through what a module imports, `….cache.os.system`, any program could be run.
PARTS = re.compile(
    r"(torch\.(nn|optim)|torchvision\.(models|ops)|pytorch_lightning\.callbacks"
    r"|descent\.(augmentation|callbacks|data|models|optim|regularization|tasks)\.\w+)\.\w+"
)
# Any other resolver could make a node, and with it a target, out of text.
PLAIN = re.compile(r"\$\{(oc\.select:|oc\.env:)?[^${}:]*\}")


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
    for key, value in _leaves(composed):
        if key == "_target_":
            _refuse_elsewhere(str(value), trusted)
        elif isinstance(value, str) and _computes(value):
            raise rules.refuse(key, value, "${key} | ${oc.select:…} | ${oc.env:…}", "it could build anything")


def _refuse_elsewhere(target: str, trusted: Sequence[str]) -> None:
    package = target.partition(".")[0]
    if package not in trusted and not PARTS.fullmatch(target):
        allowed = "what torch, torchvision, pytorch_lightning and descent train with"
        raise rules.refuse("_target_", target, allowed, f"trusted_modules={package} allows it, once you have read it")


def _computes(text: str) -> bool:
    """Whether more than plain references is in it: they are taken out from the inside outwards."""
    while (less := PLAIN.sub("", text)) != text:
        text = less
    return "${" in text


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _leaves(value, str(name))
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _leaves(item, key)
    else:
        yield key, node


def _refused(what: str, hint: str) -> UsageError:
    return UsageError(rules.cut(f"run: {what}; {hint}", rules.LONGEST_LINE))
