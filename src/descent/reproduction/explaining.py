"""What a reproduction would start from, without one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from descent.comparison.account import Account
from descent.comparison.differing import environment_changes
from descent.reproduction import patches, trees
from descent.tracking.provenance import environment_facts


def lines(run: Account, said: Mapping[str, Any], repository: Path) -> Iterator[str]:
    """For people, one thing a line."""
    yield f"run: {run.shown} ({run.directory})"
    if not said:
        yield "recorded: nothing that it could be made from again; it is older than that"
        return
    source = run.source
    yield f"commit: {source['commit'] or 'none'} ({_commit(repository, source)})"
    yield f"diff: {_diff(source)}"
    yield f"command: python src/train.py {' '.join(said['overrides'])}".rstrip()
    yield f"data: {run.identity.data}"
    yield f"seed: {run.identity.settings.get('seed')}"
    yield "resolved: " + ", ".join(f"{name} {value}" for name, value in run.resolved.items())
    yield f"came to: weights {run.weights_sha256[:12]}, {len(run.losses)} steps, {run.epochs} epochs"
    changed = environment_changes(run.environment, environment_facts(repository))
    yield "environment: " + ("as it is here" if not changed else "here it is different:")
    yield from (f"  {change.shown}" for change in changed)


def _commit(repository: Path, source: Mapping[str, Any]) -> str:
    return "in this repository" if trees.has_commit(repository, str(source["commit"])) else "not in this repository"


def _diff(source: Mapping[str, Any]) -> str:
    if not source["dirty"]:
        return "none"
    patch = patches.kept(source["diff_sha256"])
    if patch is None:
        return f"{source['diff_sha256'][:12]}, no record of this machine"
    return f"{source['diff_sha256'][:12]}, {patch.count(b'diff --git ')} files, kept here"
