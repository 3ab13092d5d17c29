"""The best trial of a search, once it has ended: trained once more and tested."""

import signal

from descent import door, trials
from descent.errors import Interrupted
from hydra_plugins.descent_sweeper import _refit
from hydra_plugins.descent_sweeper._outlook import BEST, best_of
from hydra_plugins.descent_sweeper._search_space import overrides_of
from hydra_plugins.descent_sweeper._study import Queue
from hydra_plugins.descent_sweeper._worker import HALVED, Plan

GOES_ON = "the same command goes on"


def train(queue: Queue, plan: Plan, name: str | None) -> None:
    """Once more, as an ordinary run: now its test split is read, and it keeps its model and pictures."""
    best = best_of(queue.trials(), plan.directions[0]) if len(plan.directions) == 1 else None
    if best is None:
        return  # of several objectives nobody but a person says which point of the front wins
    words = trials.with_instead(overrides_of(queue.point_of(best)), best.user_attrs.get(HALVED, []))
    if plan.search_knobs["refit"]:
        words += _refit.words(queue.directory / str(best.number))
    words += [f"register={name}"] if name else []
    what = "training and validation data" if plan.search_knobs["refit"] else "the same data"
    print(f"the best, #{best.number}, once more on {what}, and tested:", flush=True)
    called, where = " ".join([BEST, *words]), (plan.parent, plan.searchpath, plan.primary)
    words = trials.with_instead(plan.overrides, words)
    best_one = trials.Trial(queue.directory / BEST, words, *where, name=called, tested=True, whole=True)
    door.or_exit(lambda: _trained(best_one))  # what goes wrong in it is no fault of the search's words


def _trained(best: trials.Trial) -> None:
    try:
        trials.run(best)
    except Interrupted as end:
        raise Interrupted(end.number, GOES_ON) from None
    except KeyboardInterrupt:
        raise Interrupted(signal.SIGINT, GOES_ON) from None
