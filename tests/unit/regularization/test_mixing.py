"""What changes a minibatch on its way in: distributions, targets, and where the draws come from."""

import numpy as np
import pytest
import torch
from scipy import stats

from descent.regularization.cutmix import Cutmix
from descent.regularization.input_noise import InputNoise
from descent.regularization.label_smoothing import LabelSmoothing
from descent.regularization.mixup import Mixup
from descent.reproducibility import Noise

DRAWS, CLASSES = 2000, 5
PLACES = [(epoch, place) for epoch in range(20) for place in range(DRAWS // 20)]


def joined(method):
    method.join(torch.nn.Identity(), CLASSES)
    return method


def drawn(method, batch, places=PLACES):
    """What comes of the batch at each place of a training."""
    noise = Noise(0, torch.device("cpu"))
    for place in places:
        noise.at(*place)
        yield method.batch_in(batch)


def marked(rows=6):
    """Sample i holds i everywhere, and is of class i % CLASSES."""
    inputs = torch.arange(rows, dtype=torch.float64)[:, None, None, None].expand(rows, 1, 8, 8).clone()
    return inputs, torch.arange(rows) % CLASSES


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_mixups_share_is_a_beta(alpha):
    batch = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([0, 1])
    shares = []
    for inputs, targets in drawn(joined(Mixup(alpha, 1.0)), batch):
        first, second = inputs[:, 0].tolist()
        if (first, second) != (0.0, 1.0):  # the two did change places
            assert first == pytest.approx(1 - second)
            shares.append(second)
            np.testing.assert_allclose(targets[:, 1], inputs[:, 0], atol=1e-12)
    assert len(shares) > DRAWS / 3
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_mixup_mixes_targets_as_it_mixes_inputs():
    inputs, classes = marked()
    code = torch.eye(CLASSES, dtype=torch.float64)
    for mixed, targets in drawn(joined(Mixup(1.0, 1.0)), (inputs, classes), PLACES[:50]):
        np.testing.assert_allclose(targets.sum(1), 1, atol=1e-12)
        changed = (mixed[:, 0, 0, 0] - inputs[:, 0, 0, 0]).abs() > 1e-9
        own = targets[torch.arange(6), classes]
        if changed.any():
            share = float(own[changed].min())
            partners = (mixed[:, 0, 0, 0] - share * inputs[:, 0, 0, 0]) / (1 - share)
            np.testing.assert_allclose(partners[changed], partners[changed].round(), atol=1e-6)
            expected = share * code[classes] + (1 - share) * code[partners.round().long() % CLASSES]
            np.testing.assert_allclose(targets[changed], expected[changed], atol=1e-6)


def test_mixup_of_numbers_mixes_the_numbers():
    batch = torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [30.0]])
    for inputs, targets in drawn(joined(Mixup(1.0, 1.0)), batch, PLACES[:50]):
        np.testing.assert_allclose(targets, 10 + 20 * inputs, rtol=1e-5)


@pytest.mark.parametrize("make", [Mixup, Cutmix])
def test_a_share_of_the_minibatches(make):
    inputs, targets = marked()
    untouched = sum(mixed is inputs for mixed, _ in drawn(joined(make(1.0, 0.3)), (inputs, targets)))
    assert stats.binomtest(DRAWS - untouched, DRAWS, 0.3).pvalue > 1e-3


def test_cutmix_pastes_one_rectangle_and_its_area_of_target():
    inputs, classes = marked()
    sizes = set()
    for mixed, targets in drawn(joined(Cutmix(1.0, 1.0)), (inputs, classes), PLACES[:300]):
        foreign = (mixed != inputs)[:, 0]
        moved = foreign.flatten(1).any(1)
        if not moved.any():
            continue
        place = foreign[moved][0]
        assert (foreign[moved] == place).all()
        rows, columns = place.any(1).nonzero(), place.any(0).nonzero()
        area = int(rows.max() - rows.min() + 1) * int(columns.max() - columns.min() + 1)
        assert int(place.sum()) == area
        sizes.add(area)
        for sample in moved.nonzero()[:, 0].tolist():
            other = int(mixed[sample, 0][place][0])
            expected = torch.zeros(CLASSES, dtype=torch.float64)
            expected[classes[sample]] += 1 - area / 64
            expected[other % CLASSES] += area / 64
            np.testing.assert_allclose(targets[sample], expected, atol=1e-12)
    assert len(sizes) > 20


def test_cutmixs_rectangle_has_the_drawn_area_and_any_centre():
    """On an image so large that rounding does not show; one that touches no border has not been cut off."""
    inputs = torch.zeros(2, 1, 200, 200)
    inputs[1] = 1.0
    areas, centres = [], []
    for mixed, _ in drawn(joined(Cutmix(2.0, 1.0)), (inputs, torch.tensor([0, 1])), PLACES[:1500]):
        if not mixed[0].any():
            continue
        rows, columns = mixed[0, 0].any(1).nonzero(), mixed[0, 0].any(0).nonzero()
        inside = min(int(rows.min()), int(columns.min())) > 0 and max(int(rows.max()), int(columns.max())) < 199
        if len(rows) < 60:
            centres.append((int(rows.min()) + int(rows.max())) / 400 if inside else np.nan)
        if inside and 70 < rows.min() + len(rows) // 2 < 130 and 70 < columns.min() + len(columns) // 2 < 130:
            areas.append(len(rows) * len(columns) / 200**2)
    law = stats.beta(2.0, 2.0)
    largest = (140 / 200) ** 2  # centred in the middle, no smaller rectangle reaches a border
    kept = [area for area in areas if area < largest]
    assert len(kept) > 30
    assert stats.kstest(kept, lambda area: law.cdf(area) / law.cdf(largest)).pvalue > 1e-3
    middle = [centre for centre in centres if 0.15 < centre < 0.85]
    assert stats.kstest(middle, stats.uniform(0.15, 0.7).cdf).pvalue > 1e-3


def test_input_noise_is_normal_and_of_its_deviation():
    inputs = torch.full((50, 40), 3.0)
    noisy, targets = next(drawn(InputNoise(0.25), (inputs, torch.zeros(50))))
    assert stats.kstest((noisy - 3.0).flatten().numpy(), stats.norm(0, 0.25).cdf).pvalue > 1e-3
    assert not targets.any()


def test_smoothing_spreads_over_all_classes():
    _, targets = joined(LabelSmoothing(0.2)).batch_in((torch.zeros(2, 1), torch.tensor([0, 3])))
    np.testing.assert_allclose(targets, [[0.84, 0.04, 0.04, 0.04, 0.04], [0.04, 0.04, 0.04, 0.84, 0.04]], rtol=1e-6)
    rows = torch.tensor([[0.5, 0.5, 0.0, 0.0, 0.0]])
    _, softer = joined(LabelSmoothing(0.2)).batch_in((torch.zeros(1, 1), rows))
    np.testing.assert_allclose(softer, [[0.44, 0.44, 0.04, 0.04, 0.04]], rtol=1e-6)


@pytest.mark.parametrize("method", [Mixup(1.0, 0.8), Cutmix(1.0, 0.8), InputNoise(0.1)])
def test_a_draw_belongs_to_its_place(method):
    joined(method)
    forwards = [mixed for mixed, _ in drawn(method, marked(), PLACES[:12])]
    backwards = [mixed for mixed, _ in drawn(method, marked(), PLACES[:12][::-1])][::-1]
    assert all(torch.equal(one, other) for one, other in zip(forwards, backwards, strict=True))
    assert len({mixed.numpy().tobytes() for mixed in forwards}) > 4
