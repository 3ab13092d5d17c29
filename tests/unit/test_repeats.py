"""Which trainings a configuration stands for, and as which commands."""

from dataclasses import replace

import pytest

from descent.identity import Identity, differences
from descent.repeats import config_of, repeats_of


def listed(config):
    return [(repeat.seed, repeat.fold) for repeat in repeats_of(config)]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], [(0, None)]),
        (["seeds=3", "seed=7"], [(7, None), (8, None), (9, None)]),
        (["folds=3"], [(0, 0), (0, 1), (0, 2)]),
        (["folds=3", "fold=1"], [(0, 1)]),
        (["folds=3", "fold=1", "seeds=2"], [(0, 1), (1, 1)]),
        (["folds=2", "seeds=2"], [(0, 0), (0, 1), (1, 0), (1, 1)]),
    ],
    ids=str,
)
def test_seeds_and_folds_multiply(composed, overrides, expected):
    config = composed(*overrides)
    assert listed(config) == expected
    assert config.repeats == len(expected) and config.repeated == (len(expected) > 1)
    assert [repeat.number for repeat in repeats_of(config)] == list(range(len(expected)))


@pytest.mark.parametrize("folds", [1, 3])
def test_more_seeds_come_after_those_that_were_there(composed, folds):
    fewer, more = (listed(composed(f"seeds={seeds}", f"folds={folds}")) for seeds in (2, 5))
    assert more[: len(fewer)] == fewer


def test_a_repeat_is_an_ordinary_command(composed):
    config = composed("optimizer=sgd", "seed=3", "seeds=2", "folds=4", "lr=0.5")
    one = config_of(config, repeats_of(config)[6])
    assert one.overrides == ("seed=4", "fold=2", "seeds=1", "resume=auto", "optimizer=sgd", "folds=4", "lr=0.5")
    assert one.settings == composed(*one.overrides).settings
    assert not one.repeated and one.one_of_many and one.resume == "auto"


@pytest.mark.parametrize("given", [[], ["resume=never"]])
def test_an_earlier_run_was_dealt_with_by_the_parent(composed, given):
    config = composed("seeds=2", *given)
    assert config_of(config, repeats_of(config)[1]).resume == "auto"


def test_what_interpolates_from_the_seed_follows_it(composed):
    config = composed("regularization=[gradient_noise]", "seeds=3", "seed=5", "lr=${seed}")
    seen = [config_of(config, repeat) for repeat in repeats_of(config)]
    assert [one.settings["regularization"]["gradient_noise"]["seed"] for one in seen] == [5, 6, 7]
    assert [one.lr for one in seen] == [5.0, 6.0, 7.0]


ONE = Identity({"folds": 1, "fold": None}, 20, {}, "data", "2", "cpu")
FOLDS = replace(ONE, settings={"folds": 5, "fold": None})


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (replace(ONE, seeds=5), replace(ONE, seeds=7), []),
        (FOLDS, replace(FOLDS, seeds=2), []),
        (replace(ONE, seeds=5), replace(ONE, seeds=3), ["seeds 5 → 3"]),
        (ONE, replace(ONE, seeds=3), ["seeds 1 → 3"]),
        (replace(ONE, seeds=3), ONE, ["seeds 3 → 1"]),
        (FOLDS, replace(FOLDS, settings={"folds": 5, "fold": 1}), ["fold null → 1"]),
        (FOLDS, replace(FOLDS, settings={"folds": 6, "fold": None}), ["folds 5 → 6"]),
    ],
)
def test_more_seeds_are_the_same_training(before, now, said):
    assert differences(before, now) == said
