"""Objects from configuration nodes, whichever way they are made."""

import sys

import pytest

from descent.config import Component
from descent.errors import DataError, UsageError
from descent.nodes import build

HERE = "unit.test_nodes"


class Part:
    def __init__(self, **settings):
        self.settings = settings


def failing(kind):
    raise {"ours": DataError("the file is empty"), "theirs": KeyError("depth")}[kind]


def built(provided=None, **settings):
    return build("model", Component("part", {"_target_": f"{HERE}.Part", **settings}), **provided or {})


def test_it_gets_its_settings_and_what_is_provided():
    scaling = object()
    part = built({"scaling": scaling}, hidden=[8, 4], lr=0.1, name=None, range={"low": 1})
    assert part.settings == {"hidden": [8, 4], "lr": 0.1, "name": None, "range": {"low": 1}, "scaling": scaling}
    assert part.settings["scaling"] is scaling and type(part.settings["hidden"]) is list


@pytest.mark.parametrize("more", [{}, {"inner": {"_target_": f"{HERE}.Part", "b": 2}}])
def test_it_may_change_what_it_was_given(more):
    settings = {"hidden": [8, [4]], **more}
    built(**settings).settings["hidden"][1].append(2)
    assert settings["hidden"] == [8, [4]]


@pytest.mark.parametrize("shape", [lambda node: node, lambda node: [1, node], lambda node: {"deep": [node]}])
def test_nodes_in_it_are_built_first(shape):
    inner = built(a=1, inner=shape({"_target_": f"{HERE}.Part", "b": [2]})).settings["inner"]
    while isinstance(inner, list | dict):
        inner = inner[-1] if isinstance(inner, list) else inner["deep"]
    assert inner.settings == {"b": [2]} and type(inner.settings["b"]) is list


def test_a_part_to_be_called_later():
    later = built(_partial_=True, lr=0.1)
    assert later.keywords == {"lr": 0.1}
    assert later(momentum=0.9).settings == {"lr": 0.1, "momentum": 0.9}


@pytest.mark.parametrize("more", [{}, {"_recursive_": True}])
def test_a_line_of_ours_stays_and_of_others_one_is_made(more):
    def refusal(kind, error):
        with pytest.raises(error) as refused:
            build("loss", Component("failing", {"_target_": f"{HERE}.failing", "kind": kind, **more}))
        return str(refused.value)

    assert refusal("ours", DataError) == "the file is empty"
    assert refusal("theirs", UsageError) == f"loss: {HERE}.failing cannot be built: 'depth'"


@pytest.mark.parametrize(
    ("target", "word", "how"),
    [("os.system", "command", "mkdir {}"), ("subprocess.check_call", "args", ["mkdir", "{}"])],
)
@pytest.mark.parametrize("more", [{}, {"_recursive_": True}])
def test_what_hydra_refuses_to_call_is_refused(tmp_path, target, word, how, more):
    made = tmp_path / "made"
    words = how.format(made) if isinstance(how, str) else [one.format(made) for one in how]
    settings = {"_target_": target, word: words, **more}
    with pytest.raises(UsageError, match=f"{target} cannot be built: .*(?i:hydra|polic|allow)"):
        build("model", Component("part", settings))
    assert not made.exists()


@pytest.mark.parametrize("more", [{}, {"_recursive_": True}])
def test_what_is_provided_wins_and_a_tuple_is_a_list(more):
    assert built({"size": (1, 2)}, size=3, **more).settings == {"size": [1, 2]}


def test_a_class_that_was_loaded_again_is_the_one_that_is_built(monkeypatch):
    class Other(Part):
        pass

    assert type(built()).__name__ == "Part"
    monkeypatch.setattr(sys.modules[HERE], "Part", Other)
    assert type(built()) is Other
