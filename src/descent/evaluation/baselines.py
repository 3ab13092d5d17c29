"""What simple models of scikit-learn's reach on the same split and scaling: the mark to beat."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from descent.evaluation.recovering import Recovered

MOST_ROWS = 10_000  # of training data; more would take minutes
TREES = 200


def baselines(run: Recovered, split: str) -> dict[str, dict[str, float]]:
    """Metrics of a linear model and of a forest, by name."""
    train, part = run.data.train, run.split(split)
    kept = (
        torch.randperm(len(train), generator=torch.Generator().manual_seed(run.config.seed))[:MOST_ROWS].sort().values
    )
    inputs, targets = _features(run, train.inputs[kept]), train.targets[kept].numpy()
    seen = _features(run, part.inputs)
    found = {}
    for name, model in _models(run).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a linear model that has not settled after so many passes is good enough
            model.fit(inputs, targets if run.is_classifier or targets.shape[1] > 1 else targets[:, 0])
        found[name] = _measured(run, model, seen, part.targets)
    return found


def _models(run: Recovered) -> dict[str, Any]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    forest = {"n_estimators": TREES, "random_state": run.config.seed, "n_jobs": run.threads}
    if run.is_classifier:
        return {"logistic": LogisticRegression(max_iter=500), "forest": RandomForestClassifier(**forest)}
    return {"ridge": Ridge(), "forest": RandomForestRegressor(**forest)}


def _features(run: Recovered, inputs: Tensor) -> npt.NDArray[np.float32]:
    """Scaled and flat; of tokens how often each is there."""
    if inputs.dtype == torch.int64:
        words = int(run.data.train.inputs.max()) + 1
        known = inputs.clamp(0, words - 1)
        counts = torch.zeros(len(inputs), words).scatter_add_(1, known, torch.ones(known.shape))
        return counts.numpy()
    with torch.inference_mode():
        return run.model[0](inputs.to(run.device)).flatten(1).float().cpu().numpy()  # type: ignore[index, no-any-return]


def _measured(run: Recovered, model: Any, inputs: npt.NDArray[np.float32], targets: Tensor) -> dict[str, float]:
    measures = run.recipe.measures
    if run.is_classifier:
        chances = np.zeros((len(inputs), run.data.outputs))
        chances[:, model.classes_] = model.predict_proba(inputs)
        outputs = torch.from_numpy(chances).clamp(min=1e-300).log()
    else:
        outputs = torch.from_numpy(np.asarray(model.predict(inputs), dtype=np.float64)).view(len(inputs), -1)
    return {**measures.metrics(measures.sums(outputs, targets)), **measures.ranks(outputs, targets)}
