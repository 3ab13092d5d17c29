"""The recorded difference makes the same tree again, and recording it touches nothing."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from descent.tracking.provenance import LARGEST_UNTRACKED, environment_facts, source_state

NOTHING = hashlib.sha256(b"").hexdigest()
ODD_NAMES = ["with space.py", "ünïcode.py", "new\nline.py", 'quo"te.py', "tab\there.py", "-dash.py", "[glob]*.py"]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "kept.py").write_text("one\ntwo\n")
    (root / "gone.py").write_text("gone\n")
    (root / "windows.py").write_bytes(b"a\r\nb\r\n")
    (root / "latin.txt").write_bytes(b"caf\xe9\n")
    (root / "image.bin").write_bytes(bytes(range(256)) * 8)
    (root / "script.sh").write_text("#!/bin/sh\n")
    (root / ".gitignore").write_text("ignored/\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def dirty(root: Path) -> None:
    (root / "kept.py").write_text("one\nthree\n")
    (root / "gone.py").unlink()
    (root / "windows.py").write_bytes(b"a\r\nc\r\n")
    (root / "latin.txt").write_bytes(b"caf\xe9 cr\xe8me\n")
    (root / "image.bin").write_bytes(bytes(reversed(range(256))) * 8)
    (root / "script.sh").chmod(0o755)
    (root / "staged.py").write_text("staged\n")
    git(root, "add", "staged.py")
    (root / "empty.py").touch()
    (root / "package").mkdir()
    (root / "package" / "new.bin").write_bytes(b"\0\1\2" * 100)
    (root / "link").symlink_to("kept.py")
    (root / "ignored").mkdir()
    (root / "ignored" / "secret.txt").write_text("never\n")
    for name in ODD_NAMES:
        (root / name).write_text(f"{name}\n")


def tree(root: Path) -> dict[str, tuple[bytes, bool]]:
    names = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")[:-1]
    paths = {name: root / name for name in names if (root / name).exists()}
    return {name: (path.read_bytes(), os.access(path, os.X_OK)) for name, path in paths.items()}


def test_the_difference_makes_the_same_tree(repository, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    dirty(repository)
    source = source_state(repository)
    patch = tmp_path / "recorded.patch"
    patch.write_bytes(source.diff.encode("utf-8", "surrogateescape"))
    git(clone, "apply", "--whitespace=nowarn", str(patch))
    assert tree(clone) == tree(repository)
    assert set(ODD_NAMES) <= set(tree(clone))
    assert source.diff_sha256 == hashlib.sha256(patch.read_bytes()).hexdigest()


def test_nothing_of_the_users_is_touched(repository):
    dirty(repository)

    def inside() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file()}

    before = inside()
    source_state(repository)
    assert inside() == before


def test_a_clean_tree_is_clean(repository):
    source = source_state(repository)
    assert (source.dirty, source.diff, source.diff_sha256, source.branch) == (False, "", NOTHING, "main")
    assert source.commit == git(repository, "rev-parse", "HEAD").strip()


def test_a_subfolder_sees_the_whole_tree(repository):
    dirty(repository)
    assert source_state(repository / "package") == source_state(repository)


def test_the_users_settings_do_not_change_the_difference(repository):
    dirty(repository)
    before = source_state(repository)
    for setting in ("diff.noprefix=true", "diff.external=false", "color.ui=always", "diff.renames=copies"):
        git(repository, "config", *setting.split("="))
    assert source_state(repository) == before


def test_a_large_untracked_file_is_named_and_left_out(repository, tmp_path):
    (repository / "small.py").write_text("small\n")
    (repository / "large.bin").write_bytes(b"x" * (LARGEST_UNTRACKED + 1))
    source = source_state(repository)
    assert (
        source.diff.splitlines()[0]
        == f"# left out: large.bin ({LARGEST_UNTRACKED + 1} bytes, more than {LARGEST_UNTRACKED})"
    )
    assert len(source.diff) < 1000
    patch = tmp_path / "recorded.patch"
    patch.write_text(source.diff)
    git(repository, "apply", "--check", "-R", str(patch))


def test_a_repository_without_a_commit_is_all_difference(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "new.py").write_text("new\n")
    source = source_state(tmp_path)
    assert source.commit is None
    assert "+new" in source.diff


def test_a_detached_head_has_no_branch(repository):
    git(repository, "checkout", "-q", "--detach")
    assert source_state(repository).branch is None


def test_outside_a_repository_there_is_nothing(tmp_path):
    source = source_state(tmp_path)
    assert (source.commit, source.branch, source.dirty, source.diff) == (None, None, False, "")
    assert source.diff_sha256 == NOTHING


def test_without_git_there_is_nothing(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert source_state(repository).commit is None


def test_it_is_quick(repository):
    dirty(repository)

    def seconds() -> float:
        start = time.perf_counter()
        source_state(repository)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.1


def test_facts_name_the_lock_the_libraries_and_the_machine(tmp_path):
    (tmp_path / "requirements.lock").write_text("torch==2\n")
    facts = environment_facts(tmp_path)
    assert facts["lock_sha256"] == hashlib.sha256(b"torch==2\n").hexdigest()
    assert {"python", "os", "host", "cpu", "cores", "torch", "mlflow", "hydra_core", "numpy"} <= set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())


def test_facts_import_nothing_heavy(tmp_path):
    code = """
import sys
from pathlib import Path
from descent.tracking.provenance import environment_facts
environment_facts(Path())
assert not {"torch", "mlflow", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize("change", [lambda root: None, dirty], ids=["clean", "dirty"])
def test_the_digest_is_always_one(repository, change):
    change(repository)
    source = source_state(repository)
    assert len(source.diff_sha256) == 64
    assert source.diff_sha256 == hashlib.sha256(source.diff.encode("utf-8", "surrogateescape")).hexdigest()
    assert source.dirty == (source.diff_sha256 != NOTHING)
