"""Scripts of src/ in processes that find the large libraries imported: real processes, without five seconds each."""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCE = Path(__file__).parents[2] / "src"
LARGE = ["torch", "torchvision", "pytorch_lightning", "hydra", "matplotlib.pyplot", "sklearn.datasets", "mlflow"]


@dataclass(frozen=True)
class Answer:
    """As subprocess.CompletedProcess has it; a signal that ended the process is a negative code."""

    returncode: int
    stdout: str
    stderr: str


def train(
    root: Path, arguments: Sequence[str], env: Mapping[str, str] | None = None, script: str = "train.py"
) -> Answer:
    """As `python src/train.py …` in that root, which is the working directory too."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(LARGE)
    settings = {**os.environ, "DESCENT_ROOT": str(root), **(env or {})}
    with TemporaryDirectory() as scratch:
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        process = server.Process(target=_run, args=(root, list(arguments), settings, script, out, err))
        process.start()
        process.join(200)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{script} {' '.join(arguments)}: {err.read_text()}")
        return Answer(process.exitcode, out.read_text(), err.read_text())


def _run(root: Path, arguments: list[str], settings: dict[str, str], script: str, out: Path, err: Path) -> None:
    for stream, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream)
    multiprocessing.set_start_method(None, force=True)  # as in a process that a shell has started
    os.environ.clear()
    os.environ.update(settings)
    file = (SOURCE / script).resolve()
    sys.path[:0] = [str(file.parent), *filter(None, settings.get("PYTHONPATH", "").split(os.pathsep))]
    os.chdir(root)
    sys.argv = [str(file), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # multiprocessing leaves them out
