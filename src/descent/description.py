"""What the page of a run in MLflow says of it: question, answer, verdict, command and picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from descent.tracking import describing
from descent.vocabulary import REPORTED

if TYPE_CHECKING:
    from descent.comparison.summary import Summary
    from descent.config import Config
    from descent.diagnosis.verdict import Finding
    from descent.outcome import Outcome
    from descent.repeated import Repeated

CURVES = "curves.png"


def of_training(config: "Config", outcome: "Outcome", found: Sequence["Finding"]) -> str:
    """Of one training."""
    values = {name: f"{outcome.metrics[name]:.4f}" for name in _told(config) if name in outcome.metrics}
    question = (
        f"What does {_what(config)} come to, with lr {config.lr:g}, {config.epochs} epochs and seed {config.seed}?"
    )
    verdict = f"Verdict: {describing.plain(found[0].line)}." if found else ""
    return describing.told(question, _sentence(values), _command(config), verdict, _picture(config))


def of_repeats(config: "Config", found: "Repeated") -> str:
    """Of several, told by their parent."""
    values = {name: _spread(found.metrics[name]) for name in _told(config) if name in found.metrics}
    folds = f" and {config.folds} folds" if config.folds > 1 else ""
    seeds = f"{config.seeds} seeds" if config.seeds > 1 else "one seed"
    question = f"How far does {_what(config)} vary over {seeds}{folds}?"
    return describing.told(question, _sentence(values), _command(config), _picture(config))


def _told(config: "Config") -> list[str]:
    own = [f"test/{name}" for name in REPORTED[config.dataset.settings["task"]]]
    return [f"best/{config.objective}", *own]


def _what(config: "Config") -> str:
    regularization = config.choices["regularization"]
    also = "" if regularization in ("", "none") else f" and {regularization}"
    return f"{config.model.choice} with {config.optimizer.choice}{also} on {config.dataset.choice}"


def _sentence(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) + "."


def _spread(summary: "Summary") -> str:
    deviation = "" if summary.std is None else f" ± {summary.std:.4f}"
    return f"{summary.mean:.4f}{deviation} over {summary.n}"


def _command(config: "Config") -> str:
    from descent.report import command

    return command(config)


def _picture(config: "Config") -> str:
    return describing.picture(CURVES) if config.tracking.pictures else ""
