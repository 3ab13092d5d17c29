"""Answers commands in a Python that cannot import what is heavy: JSON lists of a script and its words in."""

import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, NoReturn

HEAVY = {"torch", "torchvision", "pytorch_lightning", "lightning_fabric", "torchmetrics", "mlflow", "optuna", "sklearn"}


class Heavy(BaseException):
    """Not an Exception: nobody can take it for an error of the user's."""


class Refuse(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in HEAVY:
            raise Heavy(name)


def answer(script: Path, arguments: list[str]) -> dict[str, Any]:
    from hydra.core.global_hydra import GlobalHydra

    code, said, out = 0, io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["DESCENT_ROOT"] = folder
        sys.argv = [str(script), *arguments]
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
                runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Heavy as heavy:
            said.write(f"imported {heavy}\n")
        left = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
        GlobalHydra.instance().clear()
    return {"code": code, "out": out.getvalue(), "err": said.getvalue(), "left": left, "root": folder}


def main() -> NoReturn:
    sys.meta_path.insert(0, Refuse())
    source = Path(sys.argv[1])
    sys.path[:0] = [str(source), str(Path(__file__).parents[1])]
    from reference.remembering import remembering

    with remembering():
        answers = [answer(source / script, arguments) for script, *arguments in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)
    raise SystemExit(0)


if __name__ == "__main__":
    main()
