"""The end of a process: nothing is searched for cycles any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
SCRIPT = """
import gc
from descent import lifeline
class Cycle:
    def __init__(self):
        self.own = self
    def __del__(self):
        print("found")
if {quickly}:
    lifeline.end_quickly()
gc.disable()
Cycle()
"""


@pytest.mark.parametrize(("quickly", "said"), [(True, ""), (False, "found\n")])
def test_nothing_is_searched_for_at_the_end(quickly, said):
    script, env = SCRIPT.format(quickly=quickly), {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, said), done.stderr
