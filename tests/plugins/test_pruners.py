"""Pruners over repeats: what is reported to them, and the signed-rank test against SciPy's definition by counting."""

from itertools import product

import pytest
from optuna.trial import TrialState

from descent.errors import UsageError
from descent.watching import PRUNED, of_repeats
from hydra_plugins.descent_sweeper._pruners import MADE, pruner_for, refuse_unfit
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import Queue

NEVER = Stopping(maximize=False)
KNOBS = {"choice": "wilcoxon", "p": 0.1, "first": 2}


@pytest.mark.parametrize(("each", "told"), [(False, [2.0, 3.0, 4.0]), (True, [2.0, 4.0, 6.0])])
def test_the_running_mean_or_each_repeat_is_reported(each, told):
    seen = []
    after_each = of_repeats(lambda value, place: seen.append((value, place)), 3, each)
    for count in (1, 2, 3):
        assert after_each([2.0, 4.0, 6.0][:count]) is None
    assert seen == list(zip(told, range(3), strict=True))


def test_a_trial_is_left_alone_at_its_last_repeat():
    after_each = of_repeats(lambda value, place: True, 2, False)
    assert [after_each([1.0]), after_each([1.0, 1.0])] == [PRUNED, None]


def p_of_all(differences):
    """One-sided, by counting the signs that give a sum of positive ranks at least as large."""
    ranks = {value: rank for rank, value in enumerate(sorted(differences, key=abs), 1)}
    seen = sum(ranks[value] for value in differences if value > 0)
    sums = [
        sum(rank * sign for rank, sign in zip(ranks.values(), signs, strict=True))
        for signs in product((0, 1), repeat=len(ranks))
    ]
    return sum(one >= seen for one in sums) / len(sums)


@pytest.mark.parametrize(
    "worse_by", [[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, -2.0, 3.0, 4.0, 5.0, 6.0], [-1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
)
def test_a_trial_ends_where_the_signed_ranks_say_that_it_is_worse(tmp_path, worse_by):
    queue = Queue(tmp_path, [])
    queue.create(["minimize"])
    queue.study.pruner = pruner_for("wilcoxon", KNOBS)
    queue.extend(2, [])
    best = [10.0 * place for place in range(len(worse_by))]
    first = queue.claim("random", {}, 0, NEVER)
    for place, value in enumerate(best):
        first.trial.report(value, place)
    queue.finish(first, TrialState.COMPLETE, [sum(best) / len(best)])
    second = queue.claim("random", {}, 0, NEVER)
    second.trial.report(1e3, 0)  # far above, so that its mean never looks better than the best one's
    ended = []
    for place in range(1, len(worse_by)):
        second.trial.report(best[place] + worse_by[place], place)
        ended.append(second.trial.should_prune())
    differences = [1e3, *worse_by[1:]]
    assert ended == [p_of_all(differences[:count]) < KNOBS["p"] for count in range(2, len(worse_by) + 1)]


@pytest.mark.parametrize(
    ("repeats", "p", "first", "refused"),
    [
        (1, 0.1, 2, True),
        (4, 0.1, 2, True),
        (5, 0.1, 2, False),
        (2, 0.5, 2, True),
        (3, 0.5, 2, False),
        (9, 0.1, 9, True),
    ],
)
def test_a_test_that_could_never_end_a_trial_is_refused(repeats, p, first, refused):
    try:
        refuse_unfit({"choice": "wilcoxon", "p": p, "first": first}, repeats)
        assert not refused
    except UsageError as error:
        assert refused and str(error).startswith("pruner: got wilcoxon, allowed none") and len(str(error)) <= 200


@pytest.mark.parametrize("choice", sorted(set(MADE) - {"wilcoxon"}))
def test_every_other_pruner_takes_any_number_of_repeats(choice):
    refuse_unfit({"choice": choice}, 1)
    refuse_unfit({"choice": choice}, 3)
