"""The end of a process: nothing is searched for cycles any more, and databases are closed all the same."""

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


WRITES = """
from descent import lifeline
lifeline.end_quickly()
if {closes}:
    lifeline.close_databases()
from sqlalchemy import create_engine
engine = create_engine("sqlite:///some.db")
engine.own = engine
with engine.connect() as connection:
    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    connection.exec_driver_sql("CREATE TABLE some (one INTEGER)")
"""


def said_by(script, place):
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("quickly", "said"), [(True, ""), (False, "found\n")])
def test_nothing_is_searched_for_at_the_end(quickly, said, tmp_path):
    assert said_by(SCRIPT.format(quickly=quickly), tmp_path) == said


@pytest.mark.parametrize(("closes", "left"), [(True, {"some.db"}), (False, {"some.db", "some.db-wal", "some.db-shm"})])
def test_a_database_that_stayed_open_is_whole_in_one_file(closes, left, tmp_path):
    said_by(WRITES.format(closes=closes), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == left
