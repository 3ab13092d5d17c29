"""What makes a study this one: which words of a command are free, which only noted, which refused."""

import json
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from descent.errors import UsageError
from hydra_plugins.descent_sweeper._identity import changes, facts_of, name_of, refuse_another
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._study import PLAN

SPACE = [parsed("lr", "float [1e-3, 1e-1] log")]


def facts(*words, space=SPACE, search="tpe", seed=0, objective="val/loss", **knobs):
    settings = SimpleNamespace(
        sweep={"search": {"choice": search, "allowed": {}, **knobs}, "pruner": {"choice": "none"}, "aims": None},
        objective=objective,
        direction="minimize",
        seed=seed,
    )
    return facts_of(settings, space, OverridesParser.create().parse_overrides(list(words)))


@pytest.mark.parametrize(
    "word",
    [
        "n_trials=9",
        "timeout=3",
        "workers=2",
        "name=other",
        "tags={a:b}",
        "study=x",
        "max_failures=3",
        "threads=2",
        "search.patience=4",
        "search.refit=true",
        "tracking=none",
        "space.n_trials=4",
    ],
)
def test_how_much_and_by_whom_does_not_name_a_study(word):
    assert name_of(facts("model=mlp", word)) == name_of(facts("model=mlp"))


@pytest.mark.parametrize(
    "other",
    [
        facts("model=cnn"),
        facts("model=mlp", "epochs=3"),
        facts("model=mlp", "space=mlp"),
        facts("model=mlp", space=[parsed("lr", "float [1e-3, 1] log")]),
        facts("model=mlp", objective="val/accuracy"),
        facts("model=mlp", search="random"),
        facts("model=mlp", random_trials=3),
        facts("model=mlp", seed=1),
    ],
)
def test_what_is_searched_does(other):
    assert name_of(other) != name_of(facts("model=mlp"))


def begun(directory, earlier):
    (directory / PLAN).write_text(json.dumps({"facts": earlier, "parent": "p"}))


@pytest.mark.parametrize(
    ("earlier", "now", "said"),
    [
        (facts(), facts(space=[parsed("lr", "float [1e-3, 1] log")]), "another space: lr lr: float [0.001, 0.1] log →"),
        (facts("epochs=2"), facts("epochs=3"), "another fixed: epochs=2 → epochs=3; choose another name"),
        (facts(), facts(objective="val/accuracy"), "another objective: val/loss → val/accuracy"),
        (facts(), facts(seed=1), "another seed: 0 → 1; choose another name"),
        (facts(), facts(search="grid"), "search: got grid, allowed what draws"),
    ],
)
def test_another_search_under_its_name_is_refused(tmp_path, earlier, now, said):
    begun(tmp_path, earlier)
    with pytest.raises(UsageError) as refusal:
        refuse_another(tmp_path, "mine", now)
    assert said in str(refusal.value)
    assert len(str(refusal.value)) <= 200


def test_a_change_of_sampler_is_noted(tmp_path):
    begun(tmp_path, facts("search=tpe"))
    now = facts("search=random", search="random")
    earlier = refuse_another(tmp_path, "mine", now)
    assert changes(earlier, now) == ["note: sampler tpe → random from here on"]
