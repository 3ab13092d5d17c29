"""Scripts of src/ in processes that find the large libraries imported: real processes, without five seconds each."""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCE = Path(__file__).parents[2] / "src"
STREAMS = ("out", "err")
LARGE = ["torch", "torchvision", "pytorch_lightning", "hydra", "matplotlib.pyplot", "sklearn.datasets", "mlflow"]


@dataclass(frozen=True)
class Answer:
    """As subprocess.CompletedProcess has it; a signal that ended the process is a negative code."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Begun:
    """A script that runs."""

    process: ForkServerProcess
    command: str
    scratch: "TemporaryDirectory[str]"

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def answer(self, seconds: float = 300) -> Answer:
        """What it came back with; one that does not come back is killed."""
        self.process.join(seconds)
        code, (out, err) = self.process.exitcode, (Path(self.scratch.name, name).read_text() for name in STREAMS)
        self.scratch.cleanup()
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.command}: {err}")
        return Answer(code, out, err)


def begin(
    root: Path, arguments: Sequence[str], env: Mapping[str, str | None] | None = None, script: str | Path = "train.py"
) -> Begun:
    """As `python src/train.py … &` in that root, which is the working directory too; None takes a variable away.

    A script that is given with its whole path is of another source tree.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(LARGE)
    settings = {**os.environ, "DESCENT_ROOT": str(root), **(env or {})}
    scratch = TemporaryDirectory()
    for name in STREAMS:
        Path(scratch.name, name).touch()
    given = {name: value for name, value in settings.items() if value is not None}
    process = server.Process(target=_run, args=(root, list(arguments), given, SOURCE / script, Path(scratch.name)))
    process.start()
    return Begun(process, f"{script} {' '.join(arguments)}", scratch)


def train(
    root: Path, arguments: Sequence[str], env: Mapping[str, str | None] | None = None, script: str | Path = "train.py"
) -> Answer:
    """The same until its end."""
    return begin(root, arguments, env, script).answer()


def _run(root: Path, arguments: list[str], settings: dict[str, str], script: Path, scratch: Path) -> None:
    for stream, name in enumerate(STREAMS, 1):
        os.dup2(os.open(scratch / name, os.O_WRONLY | os.O_APPEND), stream)
    multiprocessing.set_start_method(None, force=True)  # as in a process that a shell has started
    os.environ.clear()
    os.environ.update(settings)
    sys.dont_write_bytecode = bool(settings.get("PYTHONDONTWRITEBYTECODE"))
    file = script.resolve()
    own = [str(file.parent), *filter(None, settings.get("PYTHONPATH", "").split(os.pathsep))]
    sys.path[:] = [*own, *(path for path in sys.path if path != str(SOURCE))]
    os.chdir(root)
    sys.argv = [str(file), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # multiprocessing leaves them out
