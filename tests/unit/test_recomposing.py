"""Compositions that are kept, against Hydra's own of the same words."""

import pytest
from omegaconf import OmegaConf

from descent import recomposing

PAIRS = [
    (["lr=0.1"], ["lr=1e-05"]),
    (["threads=1", "epochs=3", "lr=find"], ["threads=1", "epochs=7", "lr=0.5"]),
    (["fold=null", "name=a", "batch_size=8"], ["fold=1", "name='b c'", "batch_size=full"]),
    (["optimizer=momentum", "optimizer.momentum=0.5"], ["optimizer=momentum", "optimizer.momentum=1e-3"]),
    (["lr=0.1", "optimizer=sgd", "lr=0.2"], ["lr=0.3", "optimizer=sgd", "lr=0.4"]),
    (["model.hidden=[16]", "lr=0.1"], ["model.hidden=[32,64]", "lr='${weight_decay}'"]),
    (
        ["regularization=[dropout,l2]", "regularization.dropout.p=0.5"],
        ["regularization=[dropout,l2]", "regularization.dropout.p=0.25"],
    ),
    (["objective=[val/loss,model/parameters]", "direction=auto"], ["objective=val/loss", "direction=minimize"]),
    (["space=mlp", "model.width=32"], ["space=mlp", "model.width=64"]),
]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(recomposing, "_kept", {})


def whole(composed):
    """Every value with its type, in order, and as it is written beside a run."""
    return repr(composed), OmegaConf.to_yaml(composed.raw)


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda words: " ".join(words))
def test_other_values_are_put_in_as_hydra_puts_them(monkeypatch, first, second):
    expected = [whole(recomposing._fresh(words, (), ())) for words in (first, second)]
    recomposing.composed(first)
    monkeypatch.setattr(recomposing, "_fresh", None)
    assert [whole(recomposing.composed(words)) for words in (first, second, first)] == [*expected, expected[0]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["optimizer=sgd", "lr=0.1"], ["optimizer=adam", "lr=0.1"]),
        (["tags={a:b}"], ["tags={a:c}"]),
        (["hydra.job.name=a", "lr=0.1"], ["hydra.job.name=b", "lr=0.2"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_other_choices_are_composed_anew(first, second):
    expected = whole(recomposing._fresh(second, (), ()))
    recomposing.composed(first)
    assert whole(recomposing.composed(second)) == expected


def test_what_one_trial_does_with_its_configuration_is_no_others():
    one = recomposing.composed(["lr=0.1", "model.hidden=[8]"])
    other = recomposing.composed(["lr=0.2", "model.hidden=[9]"])
    other.raw["model"]["hidden"].append(1)
    assert recomposing.composed(["lr=0.1", "model.hidden=[8]"]).raw == one.raw
    assert recomposing.composed(["lr=0.2", "model.hidden=[9]"]).raw["model"]["hidden"] == [9]
