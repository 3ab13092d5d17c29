"""What a verdict proposes is a command that composes."""

import pytest

from descent import door
from descent.diagnosis.remedies import REMEDIES, overrides
from descent.diagnosis.signs import SIGNS

CONFIGURATIONS = [
    [],
    ["model=cnn", "regularization=[l2]"],
    ["model=linear"],
    ["model=lstm", "dataset=sequences"],
    ["model.activation=sigmoid", "model.init=zeros"],
    ["model.depth=2", "model.width=16", "dataset=diabetes"],
    ["regularization=[dropout,l2,early_stopping,batch_norm,gradient_clipping,label_smoothing]"],
    ["lr=find", "dataset.fraction=0.1"],
]


@pytest.mark.parametrize("given", CONFIGURATIONS, ids=" ".join)
@pytest.mark.parametrize("sign", REMEDIES)
def test_every_remedy_composes(composed, given, sign):
    config = composed(*given)
    for words in overrides(sign, config.settings, config.choices, needed=7.0):
        kept = [word for word in given if word.split("=")[0] != words.split("=")[0]]
        assert door.typed(door.compose([*kept, words])).settings != config.settings, words


def test_every_sign_has_a_remedy(composed):
    config = composed()
    for sign in (*(sign.name for sign in SIGNS), "healthy"):
        assert overrides(sign, config.settings, config.choices, needed=7.0), sign


@pytest.mark.parametrize(
    ("sign", "given", "first"),
    [
        ("lr too high", ["lr=0.1"], "lr=0.01"),
        ("lr too low", ["lr=1e-6"], "lr=3e-05"),
        ("over-fitting", ["dataset.fraction=0.5"], "dataset.fraction=1"),
        ("over-fitting", [], "augmentation=light"),
        ("over-fitting", ["dataset=breast_cancer"], "regularization=[dropout]"),
        ("over-fitting", ["dataset=breast_cancer", "regularization=[dropout]"], "regularization=[dropout,l2]"),
        ("under-fitting", ["regularization=[dropout,batch_norm]"], "regularization=[batch_norm]"),
        ("under-fitting", [], "model.hidden=[512,256]"),
        ("under-fitting", ["model=linear"], "model=mlp"),
        ("vanishing gradients", ["model.activation=sigmoid"], "model.activation=relu"),
        ("dead ReLUs", ["model.init=zeros"], "model.init=he_normal"),
        ("still improving", ["epochs=5"], "epochs=15"),
        ("saturated early", [], "epochs=10"),
    ],
)
def test_what_is_proposed_first(composed, sign, given, first):
    config = composed(*given)
    assert overrides(sign, config.settings, config.choices, needed=7.0)[0] == first
