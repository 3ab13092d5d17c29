"""A git repository with the project's code in it, in which a test may commit, soil and break what it likes."""

import shutil
import subprocess
from pathlib import Path

from reference import forked

PROJECT = Path(__file__).parents[2]
PARTS = ("src", "conf", "examples", "requirements.lock", ".gitignore")


class Repository:
    """Commands run as a user's would: in processes of their own, from its directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root / "clone", root / "state"
        self.root.mkdir()
        for part in PARTS:
            source, target = PROJECT / part, self.root / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self.git("init", "-q", "-b", "main")
        self.commit("first")

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *words]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def run(self, script: str, *words: str) -> forked.Answer:
        left_out = dict.fromkeys(("DESCENT_ROOT", "MLFLOW_TRACKING_URI", "PYTHONPATH"))
        own = {"XDG_STATE_HOME": str(self.state), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return forked.train(self.root, words, {**left_out, **own}, self.root / "src" / f"{script}.py")

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} has changed: plant it elsewhere"
        path.write_text(text.replace(old, new))
