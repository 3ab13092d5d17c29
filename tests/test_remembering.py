"""What the tests' Hydra remembers is what Hydra itself composes, and it sees that a file has changed."""

import pytest
from omegaconf import OmegaConf

from descent import door
from reference.remembering import plain

COMMANDS = [
    "",
    "optimizer=sgd lr=0.3",
    "optimizer=sgd lr=0.2",
    "regularization=[l2,dropout] model=cnn dataset.val_fraction=0.2",
    "experiment=two_inputs optimizer=adam",
    "search=tpe space=mlp pruner=median",
]
REFUSED = ["optimizer=sgdd", "lrr=1", "+model=mlp", "~optimizer", "optimizer@x=sgd", "regularization=[l2,l2]"]


def every_bit(node, key=""):
    """Each node's place, kind, type and flags."""
    yield key, type(node), node._metadata.ref_type, sorted((node._metadata.flags or {}).items())
    if OmegaConf.is_dict(node) and not (node._is_none() or node._is_missing()):
        for name in node:
            yield from every_bit(node._get_node(name), f"{key}.{name}")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_composition_is_hydras_own(words):
    with plain():
        own = door.compose(words.split())
    for _ in range(2):
        remembered = door.compose(words.split())
        assert OmegaConf.to_yaml(remembered) == OmegaConf.to_yaml(own)
        assert list(every_bit(remembered)) == list(every_bit(own))
        remembered.lr = 77  # which nobody else sees


@pytest.mark.parametrize("words", REFUSED)
def test_a_refusal_is_hydras_own(words):
    said = []
    for hydra in (door.compose, door.compose, plain()(door.compose)):
        try:
            said.append(OmegaConf.to_yaml(hydra(words.split())))
        except Exception as error:
            said.append(f"{type(error)} {error}")
    assert said[0] == said[1] == said[2]


def test_a_file_that_changes_is_read_again(tmp_path):
    words = [f"hydra.searchpath=['file://{tmp_path}']", "optimizer=own"]
    (tmp_path / "optimizer").mkdir()
    for momentum in (0.5, 0.75):
        text = f"# @package _global_\nlr: 1\noptimizer: {{_target_: torch.optim.SGD, momentum: {momentum}}}\n"
        (tmp_path / "optimizer" / "own.yaml").write_text(text)
        assert door.compose(words).optimizer.momentum == momentum
