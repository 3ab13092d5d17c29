"""Directories and runs that a command may not have: one line, and not a byte changed in them."""

import json
import os
import shlex
from dataclasses import asdict, replace

import pytest

from descent import assembly, ownership, place, resuming
from e2e.refusals import Bad, check, names

CASES = [
    Bad("hydra.run.dir={home}", "hydra.run.dir", says="which has files and no run.json"),
    Bad("hydra.run.dir={home} resume=never", "hydra.run.dir", says="which has files and no run.json"),
    Bad("-m hydra.sweep.dir={home} seed=0,1", "hydra.sweep.dir", says="which has files and no multirun.yaml"),
    Bad("resume={home}", "resume", says="there is no run.json in it"),
    Bad("hydra.run.dir={damaged}", "{damaged}/run.json", says="resume=never starts anew"),
    Bad("resume={damaged}", "{damaged}/run.json", says="damaged"),
    Bad("resume={run} lr=0.5", "resume", says="is another training: lr 0.001 → 0.5"),
    Bad("resume={run} epochs=2", "resume", says="epochs 20 → 2"),
    Bad("resume={run} model=cnn", "model", says="allowed with dataset.kind=image"),
    Bad("resume={run} model.hidden=[8] seed=1", "resume", says="seed 0 → 1; model.hidden [256,128] → [8]"),
    Bad("resume={run} lrr=1", "lrr", "lr"),
    Bad("resume={run} hydra.run.dir={home}", "hydra.run.dir", says="allowed nothing with resume=…"),
    Bad("-m resume={run} seed=0,1", "resume", says="auto | never in a multirun"),
    Bad("hydra.run.dir={run} regularization=[batch_norm] batch_size=1", "batch_size", says="batch_norm"),
    Bad("hydra.run.dir={held}", "{held}", code=4, says="which is alive; wait for it"),
    Bad("hydra.run.dir={held} resume=never", "{held}", code=4, says="which is alive; wait for it"),
    Bad("resume={held}", "{held}", code=4, says="which is alive; wait for it"),
    Bad("-m hydra.sweep.dir={sweep} seed=0,1", "{sweep}", code=4, says="which is alive; wait for it"),
    Bad("hydra.run.dir={away}", "{away}/owner.json", code=4, says="held by process 7 of elsewhere; if it is gone"),
]


def write_owner(directory, **changes):
    """The parent of this process lives as long as the test does."""
    parent = replace(ownership.this_process(), pid=os.getppid(), started=ownership._process(os.getppid()).started)
    (directory / ownership.OWNER).write_text(json.dumps(asdict(replace(parent, **changes))))


@pytest.fixture(scope="module")
def places(tmp_path_factory, composed):
    """Somebody's home, a damaged run, one that may go on, and what others hold."""
    root = tmp_path_factory.mktemp("p")
    made = {name: root / name for name in ("home", "damaged", "run", "held", "sweep", "away")}
    for directory in made.values():
        directory.mkdir()
    (made["home"] / "letter.txt").write_text("dear")
    (made["damaged"] / "run.json").write_text("{")
    config = composed("dataset=synthetic", "tracking=none")
    for name in ("run", "held"):
        with resuming.sitting(config, made[name]) as run:
            resuming.adopt(run, config, assembly.assemble(config))
    (made["sweep"] / "multirun.yaml").touch()
    write_owner(made["held"])
    write_owner(made["sweep"])
    write_owner(made["away"], host="elsewhere", pid=7)
    return made


def content(places):
    return {path: path.read_bytes() for folder in places.values() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_refused_and_left_as_it_was(run_here, tmp_path, places, case):
    shown = {name: str(path) for name, path in places.items()}
    before = content(places)
    answer = run_here(shlex.split(case.line.format(**shown)))
    left = [str(path) for path in tmp_path.rglob("*")]
    check(case._replace(key=case.key.format(**shown)), answer.code, answer.out, answer.err, left=left)
    assert content(places) == before


def test_a_name_that_two_runs_have(run_here, tmp_path, composed):
    for number in "12":
        (tmp_path / "runs" / "day" / number).mkdir(parents=True)
        place.begin(tmp_path / "runs" / "day" / number, composed("name=twin"))
    answer = run_here(["resume=twin"])
    check(Bad("", "resume", says="2 have that name or id"), answer.code, answer.out, answer.err, left=[])
