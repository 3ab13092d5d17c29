"""A search on a terminal: what is seen while it goes on, and that Ctrl-C gives the terminal back."""

import os
import re
import select
import subprocess
import sys
import termios

import pytest

from e2e.searches import PROJECT, TINY

pytestmark = pytest.mark.slow

LONG = [*(word for word in TINY if not word.startswith("epochs=")), "epochs=300"]  # a trial takes several pictures
WORDS = ["-m", "search=random", "lr=interval(0.001,0.1)", "n_trials=3", "tracking=none", *LONG]
CTRL_C = b"\x03"
ROW = rb"#\d.*lr=0\.0\d+.*epoch \d+/300  val/accuracy 0\.\d{4}"
AWAITED = [rb"\[1/3\] #", rb"1 running", rb"waiting of 3", ROW]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Ctrl-C as soon as a trial's end and what another does have been seen."""
    root = tmp_path_factory.mktemp("terminal")
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    env = {**os.environ, "DESCENT_ROOT": str(root), "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-c", _AS_OF_A_SHELL, str(PROJECT / "src" / "train.py"), *WORDS],
        stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=root, start_new_session=True,
    )  # fmt: skip
    said = b""
    while process.poll() is None and not all(re.search(awaited, said) for awaited in AWAITED):
        said += _read(ours)
    os.write(ours, CTRL_C)
    os.set_blocking(ours, False)
    while process.poll() is None or _is_waiting(ours):
        said += _read(ours)
    after = termios.tcgetattr(theirs)
    os.close(ours)
    os.close(theirs)
    return {"said": said.decode(), "code": process.returncode, "tty": (before, after)}


# A shell gives its foreground command the terminal, so that Ctrl-C reaches it and its workers.
_AS_OF_A_SHELL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _is_waiting(handle):
    return bool(select.select([handle], [], [], 0.2)[0])


def _read(handle):
    try:
        return os.read(handle, 4096) if _is_waiting(handle) else b""
    except OSError:  # its other end is closed
        return b""


def test_it_shows_what_each_worker_does(stopped):
    assert all(re.search(awaited.decode(), stopped["said"]) for awaited in AWAITED)


def test_ctrl_c_gives_the_terminal_back(stopped):
    said, (before, after) = stopped["said"], stopped["tty"]
    assert stopped["code"] == 130
    assert before == after
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1  # the cursor
    assert said.splitlines()[-1] == "interrupted by SIGINT; the same command goes on"
    assert "Traceback" not in said
