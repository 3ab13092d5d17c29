"""A race's list: equal budgets, points that cover, and what the roles of a space file come to."""

from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from descent import composition, door
from descent.errors import UsageError
from hydra_plugins.descent_sweeper import _race
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._spaces import space_of

LISTED = ["model=mlp dataset=digits", "model=linear dataset=iris"]
OPTIMIZERS = parsed("optimizer", "scientific sgd | adam")
SGD = parsed("lr", "float [1e-3, 1] log", "optimizer=sgd/lr", (("optimizer", ("sgd",)),))
ADAM = parsed("lr", "float [1e-5, 1e-1] log", "optimizer=adam/lr", (("optimizer", ("adam",)),))
BETA = parsed("optimizer.betas", "a | b", "optimizer=adam/betas", (("optimizer", ("adam",)),))
BATCH = parsed("batch_size", "fixed 64")


def planned(*parameters, listed=LISTED, swept=(), fixed=None, points=8, repeats=2, seed=5):
    search = {"points": points, "repeats": repeats}
    choices = {"model": "mlp", "dataset": "digits"}
    settings = SimpleNamespace(sweep={"search": search}, seed=seed, choices=choices)
    return _race.planned(parameters or (OPTIMIZERS, SGD, ADAM, BETA, BATCH), swept, listed, settings, fixed or {})


def of(race, **wanted):
    return [point for point in race.first() if wanted.items() <= point.items()]


def test_every_value_has_as_many_points_on_every_workload():
    race = planned()
    assert len(race.first()) == 2 * 2 * 8
    for optimizer in ("sgd", "adam"):
        for model in ("mlp", "linear"):
            assert len({point["lr"] for point in of(race, optimizer=optimizer, model=model)}) == 8
    assert all(point["batch_size"] == "64" and point["seed"] == "5" for point in race.first())


def test_a_values_points_are_the_same_on_every_workload_and_not_another_values():
    race = planned()
    lrs = [[point["lr"] for point in of(race, optimizer="sgd", model=model)] for model in ("mlp", "linear")]
    assert lrs[0] == lrs[1]
    shares = [[one.share(point["lr"]) for point in of(race, optimizer=name, model="mlp")] for name, one in KNOBS]
    assert shares[0] != pytest.approx(shares[1])


class Share:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def share(self, text):
        from math import log

        return (log(float(text)) - log(self.low)) / (log(self.high) - log(self.low))


KNOBS = (("sgd", Share(1e-3, 1)), ("adam", Share(1e-5, 1e-1)))


@pytest.mark.parametrize(("name", "knob"), KNOBS)
def test_of_eight_points_one_lies_in_each_eighth(name, knob):
    eighths = [int(8 * knob.share(point["lr"])) for point in of(planned(), optimizer=name, model="mlp")]
    assert sorted(eighths) == list(range(8))


def test_the_list_is_a_function_of_the_seed():
    assert planned().first() == planned().first()
    assert planned().first() != planned(seed=6).first()
    assert planned(points=4).first() == planned().first()[: 4 * 4]


def test_a_value_without_knobs_has_one_point_and_few_choices_have_each_once():
    race = planned(OPTIMIZERS, parsed("batch_size", "16 | 32"), points=8)
    assert len(of(race, optimizer="sgd", model="mlp")) == 2
    assert len(of(planned(OPTIMIZERS), optimizer="sgd", model="mlp")) == 1


def test_the_best_are_repeated_with_seeds_of_their_own():
    race = planned()
    assert [point["seed"] for point in race.again(race.first()[:2])] == ["6", "7", "6", "7"]
    assert race.total() == 32 + 2 * 4


def test_swept_lists_are_compared_and_models_with_datasets_are_workloads():
    swept = [parsed("optimizer", "sgd | adam"), parsed("model", "mlp | cnn"), parsed("dataset", "a | b"), SGD]
    race = planned(*swept, parsed("depth", "int [1, 4]", "model=mlp/depth", (("model", ("mlp",)),)),
                   listed=[], swept=["optimizer", "model", "dataset"])  # fmt: skip
    assert len(race.workloads) == 4
    assert race.values == [{"optimizer": "sgd"}, {"optimizer": "adam"}]
    assert [one.name for one in race.nuisance] == ["optimizer=sgd/lr"]


def test_the_command_line_chooses_among_the_listed_workloads():
    assert planned(fixed={"model": "mlp"}).workloads == [{"model": "mlp", "dataset": "digits"}]
    with pytest.raises(UsageError, match=r"^model: got cnn, allowed mlp \| linear: the workloads of the space$"):
        planned(fixed={"model": "cnn"})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"listed": ["model=mlp", "dataset=iris"]}, "space.workloads: got dataset beside model, allowed the same keys"),
        ({"listed": ["mlp"]}, "space.workloads: got mlp, allowed key=value, several with blanks between"),
    ],
)
def test_workloads_that_say_nothing_clear_are_refused(change, line):
    with pytest.raises(UsageError) as refusal:
        planned(**change)
    assert str(refusal.value).startswith(line)


FILE = """# @package _global_
space:
  parameters:
    optimizer: scientific sgd | momentum
    optimizer=sgd/lr: nuisance float [0.1, 0.2]
    batch_size: fixed 8
"""


def test_what_a_scientific_choice_brings_is_tuned_over_unless_the_file_says_otherwise(tmp_path):
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "mine.yaml").write_text(FILE)
    fixed = OverridesParser.create().parse_overrides(["space=mine"])
    found = {one.name: one for one in space_of([], fixed, lambda words: composition.compose(words, [str(tmp_path)]))}
    assert (found["optimizer=sgd/lr"].low, found["optimizer=sgd/lr"].high) == (0.1, 0.2)
    assert found["optimizer=momentum/lr"].key == "lr"
    assert found["optimizer=momentum/momentum"].key == "optimizer.momentum"
    assert found["batch_size"].choices == ("8",)


@pytest.mark.parametrize("rule", ["fixed", "fixed a | b", "fixed float [0, 1]"])
def test_what_is_fixed_is_one_value(rule):
    with pytest.raises(UsageError, match=r"^space\.k: got fixed"):
        parsed("k", rule)


def test_what_is_checked_first_holds_both_ends_and_every_choice():
    race = planned(OPTIMIZERS, SGD, ADAM, BETA, parsed("k", "fixed 1 if optimizer=sgd"))
    checked = race.corners()
    assert {point["lr"] for point in checked if point["optimizer"] == "sgd"} >= {"0.001", "1.0"}
    assert {point["optimizer.betas"] for point in checked if point["optimizer"] == "adam"} == {"a", "b"}
    assert {point.get("k") for point in checked if point["optimizer"] == "sgd"} == {"1"}
    assert {(point["model"], point["optimizer"]) for point in checked} == {
        (model, optimizer) for model in ("mlp", "linear") for optimizer in ("sgd", "adam")
    }


@pytest.mark.parametrize(
    ("dataset", "aim"), [("diabetes", ("val/loss", "minimize")), ("iris", ("val/accuracy", "maximize"))]
)
def test_the_objective_is_that_of_the_workloads_and_not_of_what_is_composed_alone(dataset, aim):
    base = door.typed(composition.compose([]))
    race = planned(OPTIMIZERS, listed=[f"model=linear dataset={dataset}"])
    found = _race.aimed(race, ["epochs=1"], base, composition.compose)
    assert (found.objective, found.direction) == aim


def test_workloads_of_different_objectives_are_refused():
    race = planned(OPTIMIZERS, listed=["dataset=iris", "dataset=diabetes"])
    with pytest.raises(
        UsageError, match=r"^objective: got maximize val/accuracy with dataset=iris optimizer=sgd and min"
    ):
        _race.aimed(race, ["model=linear"], door.typed(composition.compose([])), composition.compose)


@pytest.mark.parametrize("names", ["sgd | momentum", "momentum | sgd"])
def test_a_scientific_parameter_of_one_value_alone_makes_groups_of_its_own(names):
    momentum = parsed("optimizer.momentum", "scientific 0.5 | 0.9 if optimizer=momentum")
    race = planned(parsed("optimizer", f"scientific {names}"), momentum, SGD)
    assert len(race.values) == 3
    assert [race.group_of(point) for point in map(first_of(race), race.groups)] == race.groups
    assert [one.key for one in race.kept] == ["optimizer", "optimizer.momentum"]


def first_of(race):
    return lambda group: race.points_of(group)[0]


def test_what_is_waited_for_ends_with_the_repeats_that_there_are():
    race, shown = planned(), []
    queue = SimpleNamespace(stopped="", trials=lambda state: [], extend=lambda total, points: None)
    plan = SimpleNamespace(directions=["minimize"], tested_from=0)
    assert race.led(SimpleNamespace(run=lambda _: 0, queue=queue, plan=plan), race.first(), shown.append) == 0
    assert shown == [race.total(), len(race.first())]
