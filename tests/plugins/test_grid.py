"""The grid: Hydra's own points in Hydra's own order, all checked before the first is run, each failure said at once."""

import json
import os
import re

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext

from descent import composition, door, trials
from descent.errors import UsageError
from hydra_plugins.descent_sweeper import _team
from hydra_plugins.descent_sweeper._ending import Ending, Row, show
from hydra_plugins.descent_sweeper._grid import grid_points

SCRIPT = """
import sys
sys.path.insert(0, {source!r})
from descent.door import entry_point
from descent.errors import DataError, Diverged

def failing(config, directory):
    if config.seed == 1:
        raise Diverged("loss: nan at step 7")
    if config.seed == 2:
        raise DataError("dataset: gone")
    if config.seed == 3:
        raise KeyError("ours")
    if config.seed == 4:
        return float("nan")
    return float(config.seed)

@entry_point
def main(config, directory):
    return failing(config, directory)

main()
"""


@pytest.fixture(scope="module")
def context():
    loader = ConfigLoaderImpl(create_config_search_path(str(composition.CONFIG_DIRECTORY)))
    return HydraContext(config_loader=loader, callbacks=None)


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    """A task without training, in a process-free entry point of its own."""
    project = tmp_path_factory.mktemp("project")
    (project / "conf").symlink_to(composition.CONFIG_DIRECTORY)
    (project / "src").mkdir()
    file = project / "src" / "stub.py"
    file.write_text(SCRIPT.format(source=str(composition.CONFIG_DIRECTORY.parent / "src")))
    return file


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["lr=0.1"],
        ["lr=0.1,0.2"],
        ["lr=0.1,0.2", "seed=0,1,2"],
        ["seed=0,1", "lr=0.1,0.2"],
        ["lr=0.1", "seed=0,1"],
        ["lr=choice(0.1,0.2)"],
        ["seed=range(1,4)"],
        ["seed=range(4)"],
        ["seed=range(0,10,3)"],
        ["seed=range(3,0,-1)"],
        ["lr=range(0.1,0.5,step=0.1)"],
        ["seed=shuffle(range(3,4))"],
        ["seed=sort(3,1,2)"],
        ["seed=sort(3,1,2,reverse=true)"],
        ["lr=sort(range(1,4))"],
        ["optimizer=sgd,adam"],
        ["optimizer=glob(*)"],
        ["optimizer=glob(adam*)"],
        ["optimizer=glob([a*,s*],exclude=adamw)"],
        ["model=glob(*)", "optimizer=glob(*)"],
        ["regularization=[l2]"],
        ["regularization=[l2],[dropout]"],
        ["regularization=[l2],[dropout,l2],[none]"],
        ["regularization=choice([l2],[dropout,l2])", "seed=0,1"],
        ["model.hidden=[8],[16,8]"],
        ["model.hidden=[8,16]"],
        ["name='a,b'"],
        ['name="a,b",c'],
        ["name='a b','c d'"],
        ["name=a\\,b,c"],
        ["tags={arm:a},{arm:b}"],
        ["+trainer.limit_val_batches=1,2"],
        ["lr=1e-3,1e-2"],
        ["lr=tag(low,choice(0.1,0.2))"],
        ["precision=32,bf16-mixed"],
        ["dry_run=true,false"],
        ["tracking.uri=null,x"],
        ["lr=${weight_decay},0.5"],
        ["seed=int(3),int(4)"],
        ["dataset=digits,synthetic", "model=mlp", "lr=0.1,0.2", "seed=range(2)"],
    ],
    ids=" ".join,
)
def test_the_points_are_hydras(context, arguments):
    overrides = OverridesParser.create(config_loader=context.config_loader).parse_overrides(arguments)
    theirs = [list(point) for point in BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]]
    assert grid_points(arguments, context) == theirs


@pytest.mark.parametrize(
    ("arguments", "points"),
    [
        ([], [[]]),
        (["seed=range(1,4)"], [["seed=1"], ["seed=2"], ["seed=3"]]),
        (["a=1,2", "b=x"], [["a=1", "b=x"], ["a=2", "b=x"]]),
        (["a=1,2", "b=3,4"], [["a=1", "b=3"], ["a=1", "b=4"], ["a=2", "b=3"], ["a=2", "b=4"]]),
        (["tracking=glob(*)"], [["tracking=local"], ["tracking=none"], ["tracking=server"]]),
        (["regularization=[l2],[dropout,l2]"], [["regularization=[l2]"], ["regularization=[dropout,l2]"]]),
    ],
)
def test_the_points_are_these(context, arguments, points):
    assert grid_points(arguments, context) == points


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("lr=interval(0.1,1)", "lr: got an interval, allowed a list of points in a grid; write lr=a,b,c"),
        ("model=glob(x*)", "model: got nothing to sweep"),
        ("seed=range(3,3)", "seed: got nothing to sweep"),
        ("workers=1,2", "workers: got several values, allowed one"),
    ],
)
def test_what_is_no_list_of_points(context, argument, line):
    with pytest.raises(UsageError) as refusal:
        grid_points([argument], context)
    assert str(refusal.value).startswith(line)


def test_a_good_grid(stub, run_here, tmp_path):
    answer = run_here(["-m", "seed=10,11", "lr=0.1,0.2", "name=good"], script=stub)
    assert (answer.code, answer.err) == (0, "")
    said = answer.out.splitlines()
    assert [line for line in said if line.startswith("[")] == [
        "[1/4] seed=10 lr=0.1 name=good",
        "[2/4] seed=10 lr=0.2 name=good  (best 10.0000)",
        "[3/4] seed=11 lr=0.1 name=good  (best 10.0000)",
        "[4/4] seed=11 lr=0.2 name=good  (best 11.0000)",
    ]
    assert answer.out.count("10.0000 │") == 2 and answer.out.count("11.0000 │") == 2
    assert re.findall(r"│ (\d) │ (\S+ \S+) +│", answer.out) == [
        ("2", "seed=11 lr=0.1"),
        ("3", "seed=11 lr=0.2"),
        ("0", "seed=10 lr=0.1"),
        ("1", "seed=10 lr=0.2"),
    ]
    assert "│ val/accuracy │" in answer.out or "┃ val/accuracy ┃" in answer.out
    (sweep,) = (tmp_path / "sweeps").iterdir()
    assert answer.out.splitlines()[-5:] == [
        "best:",
        "  python src/train.py seed=11 lr=0.1 name=good",
        "next:",
        f"  python src/compare.py by=lr runs={sweep}",
        "  make ui",
    ]
    assert sorted(path.name for path in sweep.iterdir()) == ["0", "1", "2", "3", "multirun.yaml"]
    assert (sweep / "2" / ".hydra" / "overrides.yaml").read_text() == "- seed=11\n- lr=0.1\n- name=good\n"


@pytest.mark.parametrize(
    ("words", "number"),
    [("seed=10,0,11", 2), ("dataset=iris,diabetes seed=10", None), ("seed=4,0", 1), ("seed=4", None)],
)
def test_one_rule_says_which_is_kept_as_the_best(stub, run_here, monkeypatch, tmp_path, words, number):
    """Seed 4 comes to no number; two data sets have two objectives."""
    monkeypatch.setattr(trials, "results_of", lambda directory: {"of": str(directory)})
    assert run_here(["-m", *words.split(), "outputs=kept"], script=stub).code == 0
    told = json.loads((tmp_path / "kept" / "best.json").read_text())
    assert told.get("number") == number and ("point" in told) == (number is not None)
    (sweep,) = (tmp_path / "sweeps").iterdir()
    assert told.get("of") == (None if number is None else str(sweep / str(number)))


# The worker of point 1 ends when the one of point 0 has told what that came to.
BREAKS = """
import json, os, sys
order = json.loads(sys.stdin.readline())
for line in sys.stdin:
    if json.loads(line)["number"] == 1:
        open({pipe!r}).read()
        sys.exit(1)
    os.write(order["voice"], b'{{"number": 0, "value": 10.0, "why": "", "exit_code": 0}}\\n')
    open({pipe!r}, "w").close()
"""


def test_a_broken_worker_does_not_hide_what_others_came_to(stub, run_here, monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(_team, "PROGRAM", BREAKS.format(pipe=str(tmp_path / "pipe")))
    answer = run_here(["-m", "seed=10,11", "workers=2"], script=stub)
    assert answer.code == 4 and "workers: one ended with exit code 1" in answer.err
    assert "│ 0 │ seed=10" in answer.out


def test_groups_of_which_nothing_has_finished_are_not_proposed(stub, run_here):
    answer = run_here(["-m", "seed=1,10"], script=stub)
    assert "compare.py" not in answer.out
    assert "compare.py" not in run_here(["-m", "lr=0.1"], script=stub).out


@pytest.mark.parametrize("word", ["n_trials=3", "timeout=1.5", "study=x", "max_failures=1", "storage=sqlite"])
def test_a_grid_has_nothing_of_a_search(stub, run_here, tmp_path, word):
    answer = run_here(["-m", "seed=0,1", word], script=stub)
    key, _, value = word.partition("=")
    assert answer.code == 2 and answer.err.startswith(f"{key}: got {value}, allowed with search=…")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", ["lr=0.1,0.2,-1", "optimizer=sgd,adam,adamm", "+optimizer.foo=1", "seed=0,1,x"])
def test_a_bad_last_point_stops_the_first(stub, run_here, tmp_path, bad):
    answer = run_here(["-m", bad], script=stub)
    assert answer.code == 2
    assert len(answer.err.splitlines()) == 1
    assert "[1/" not in answer.out
    assert list(tmp_path.iterdir()) == []


def test_every_point_is_checked_against_its_own_choices(stub, run_here):
    answer = run_here(["-m", "optimizer=adam,sgd", "optimizer.betas=[0.8,0.9]"], script=stub)
    assert answer.err.startswith("optimizer.betas: unknown key; allowed under optimizer: lr weight_decay")


@pytest.mark.parametrize(
    ("seeds", "code", "failures"),
    [
        ("0,1,5", 5, ["failed: seed=1: loss: nan at step 7 ("]),
        ("0,2,1,5", 3, ["failed: seed=2: dataset: gone (", "failed: seed=1: loss: nan at step 7 ("]),
        ("1,2", 5, ["failed: seed=1: loss: nan at step 7 (", "failed: seed=2: dataset: gone ("]),
        ("3,0", 1, ["failed: seed=3: internal error: KeyError: 'ours'"]),
    ],
)
def test_a_failing_point_is_said_and_the_others_go_on(stub, run_here, tmp_path, seeds, code, failures):
    answer = run_here(["-m", f"seed={seeds}"], script=stub)
    assert answer.code == code
    said = answer.err.splitlines()
    assert len(said) == len(failures)
    assert all(line.startswith(failure) for line, failure in zip(said, failures, strict=True))
    points = len(seeds.split(","))
    assert [line.partition(" ")[0] for line in answer.out.splitlines() if line.startswith("[")] == [
        f"[{number + 1}/{points}]" for number in range(points)
    ]
    (sweep,) = (tmp_path / "sweeps").iterdir()
    assert len(list(sweep.glob("*/.hydra"))) == points
    assert str(sweep) in said[0]
    told = [line for line in answer.out.splitlines() if line.startswith("failed: #")]
    assert len(told) == len(failures) and all(f"{sweep}/" in line for line in told)


def test_a_list_in_a_point_is_shown_as_it_is(capsys):
    """Brackets mean styles to the library that draws the table."""
    rows = [Row(0, ["regularization=[dropout]"], ["0.5"]), Row(1, ["regularization=[l2]"], ["0.25"])]
    show(Ending("2 runs", ["val/loss"], rows))
    said = capsys.readouterr().out
    assert "regularization=[dropout]" in said
    assert "regularization=[l2]" in said


def test_a_dry_run_prices_every_point_and_runs_none(stub, run_here, tmp_path):
    words = ["-m", "dry_run=true", "dataset=synthetic", "optimizer=sgd,adam", "epochs=1", "workers=2"]
    answer = run_here(words, script=stub)
    assert (answer.code, answer.err) == (0, "")
    assert "dry run of 2 runs: nothing was written" in answer.out
    assert re.search(r"about \d+\.\d s with workers=2", answer.out)
    assert "[1/2]" not in answer.out
    assert list(tmp_path.iterdir()) == []


def test_the_sweeper_is_the_default_and_light():
    composed = door.compose()
    assert composed.hydra.sweeper._target_ == "hydra_plugins.descent_sweeper.sweeper.DescentSweeper"
