"""`python src/compare.py runs=a,b`: this is the table of contents."""

from pathlib import Path

from descent import finding, rules
from descent.comparison import account, showing
from descent.comparison.account import Account
from descent.comparison.differing import differences
from descent.config import project_root, source_root
from descent.reproduction import patches, trees
from descent.tracking.outbox import stored_id

KEY = "runs"


def compare(runs: str, code: bool = False) -> None:
    """Print what differs; with `code` the diff of sources and settings too, where both can be put together."""
    names = [name.strip() for name in runs.split(",") if name.strip()]
    if len(names) != 2:
        raise rules.refuse(KEY, runs, "two runs", f"{KEY}=a,b takes ids, names or directories, or latest")
    a, b = (account.of(finding.meant(name, project_root(), stored_id, KEY)) for name in names)
    found = differences(a, b)
    print(f"a: {a.shown} ({_shown(a.directory)})")
    print(f"b: {b.shown} ({_shown(b.directory)})")
    for line in (*showing.outcome(a, found), *showing.causes(found)):
        print(line)
    if code:
        print(*(_code(a, b) or ["code: the same, or one of the two cannot be put together here"]), sep="\n")


def _code(a: Account, b: Account) -> list[str]:
    diffs = tuple(patches.kept(str(run.source.get("diff_sha256", ""))) for run in (a, b))
    if diffs[0] is None or diffs[1] is None:
        return []
    return trees.difference(source_root(), a.source, b.source, (diffs[0], diffs[1]))


def _shown(directory: Path) -> str:
    root = project_root()
    return str(directory.relative_to(root) if directory.is_relative_to(root) else directory)
