"""The README's grid on two workers, one of which is killed: the same points, places and bits as one after another."""

import json
import re
import shlex
import signal

import pytest

from e2e.test_run_directories import PROJECT, record, results, stopping
from reference import forked

pytestmark = pytest.mark.slow
README = (PROJECT / "README.md").read_text()
SHOWN = re.search(r"\$ (python \S+ -m \S+ \S+ \S+ workers=2)\n(.*?)\n\n", README, re.DOTALL).groups()


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    """The worker of point 1 is killed after two epochs; then the same by one process; then in the first one's place."""
    root = tmp_path_factory.mktemp("grids")
    words = [word for word in shlex.split(SHOWN[0])[2:] if word != "workers=2"]
    words += ["tracking=none", "checkpoint.seconds=0", stopping(root, signal.SIGKILL, directory="1")]
    env = {"PYTHONPATH": str(PROJECT / "tests")}

    def run(place, *more):
        return forked.train(root, [*words, f"hydra.sweep.dir={root / place}", *more], env)

    many = run("many", "workers=2")
    resumed = [record(root / "many" / number)["resumed"] for number in "0123"]
    trained = (root / "many" / "1" / "weights.safetensors").stat().st_mtime_ns
    return {**locals(), "one": run("one"), "again": run("many")}


def table(text):
    return re.findall(r"│ (\d) │ (\S+ \S+) +│ +(\S+) │ +(\S+) │", text)


def the_end(answer, place):
    return answer.stdout.partition("4 runs in")[2].replace(str(place), "")


def test_every_point_comes_to_something_once(grids):
    many = grids["many"]
    assert (many.returncode, many.stderr) == (0, "")
    assert sorted(re.findall(r"^\[\d/4\] #(\d) optimizer=", many.stdout, re.MULTILINE)) == ["0", "1", "2", "3"]
    assert grids["resumed"] == [0, 1, 0, 0]


@pytest.mark.parametrize("number", "0123")
def test_the_same_bits_in_the_same_places(grids, number):
    many, one = (grids["root"] / place / number for place in ("many", "one"))
    assert results(many) == results(one)
    tested = [json.loads((place / "results.json").read_text())["metrics"]["test/accuracy"] for place in (many, one)]
    assert tested[0] == tested[1]
    assert len({(place / ".hydra" / "overrides.yaml").read_text() for place in (many, one)}) == 1


def test_the_end_is_told_alike(grids):
    root = grids["root"]
    told = the_end(grids["many"], root / "many")
    assert told == the_end(grids["one"], root / "one") == the_end(grids["again"], root / "many")
    assert "val/accuracy" in told and "test/accuracy" in told and "python src/train.py optimizer=" in told
    assert {path.name for path in (root / "many").iterdir()} == {*"0123", "logs", "multirun.yaml"}


def test_the_readme_shows_what_is_printed(grids):
    """Another machine may have other last bits, and so a sample more or less."""
    shown, printed = (
        {row[1]: [*map(float, row[2:])] for row in table(text)} for text in (SHOWN[1], grids["many"].stdout)
    )
    assert shown.keys() == printed.keys() and len(shown) == 4
    for point, values in shown.items():
        assert printed[point] == pytest.approx(values, abs=0.02)


def test_what_is_finished_is_not_trained_again(grids):
    assert grids["again"].stdout.count("finished before") == 4
    assert (grids["root"] / "many" / "1" / "weights.safetensors").stat().st_mtime_ns == grids["trained"]
