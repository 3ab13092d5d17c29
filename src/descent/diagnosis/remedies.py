"""What to try next, as overrides: for each sign the articles' remedies, in the order in which they are worth trying."""

from collections.abc import Callable, Mapping
from typing import Any

Settings = Mapping[str, Any]
SATURATING = ("sigmoid", "tanh")
STRONGER = ("dropout", "l2", "early_stopping")
REGULARIZERS = ("dropout", "l1", "l2", "elastic_net", "max_norm", "mixup", "cutmix", "label_smoothing", "input_noise")


def overrides(sign: str, settings: Settings, choices: Mapping[str, str], needed: float | None = None) -> list[str]:
    """One or two; `choices` are the groups' as they are recorded, `needed` the epochs that sufficed."""
    found = [words for remedy in REMEDIES.get(sign, ()) if (words := remedy(settings, choices))]
    if sign == "saturated early" and needed:
        found.insert(0, f"epochs={max(1, round(1.5 * needed))}")
    return found[:2]


def _slower(settings: Settings, choices: Mapping[str, str]) -> str:
    return _rate(settings, 0.1)


def _gentler(settings: Settings, choices: Mapping[str, str]) -> str:
    return _rate(settings, 0.3)


def _quicker(settings: Settings, choices: Mapping[str, str]) -> str:
    return _rate(settings, 3)


def _faster(settings: Settings, choices: Mapping[str, str]) -> str:
    return _rate(settings, 30)


def _rate(settings: Settings, factor: float) -> str:
    rate = settings.get("lr")
    return f"lr={rate * factor:.2g}" if isinstance(rate, int | float) else ""


def _found(settings: Settings, choices: Mapping[str, str]) -> str:
    return "" if settings.get("lr") == "find" else "lr=find"


def _clipped(settings: Settings, choices: Mapping[str, str]) -> str:
    return _with("gradient_clipping", choices)


def _longer(settings: Settings, choices: Mapping[str, str]) -> str:
    return f"epochs={3 * int(settings['epochs'])}"


def _more_data(settings: Settings, choices: Mapping[str, str]) -> str:
    return "dataset.fraction=1" if float(settings.get("dataset", {}).get("fraction") or 1.0) < 1.0 else ""


def _augmented(settings: Settings, choices: Mapping[str, str]) -> str:
    is_image = settings.get("dataset", {}).get("kind") == "image"
    return "augmentation=light" if is_image and choices.get("augmentation") == "none" else ""


def _regularized(settings: Settings, choices: Mapping[str, str]) -> str:
    there = _methods(choices)
    for name in STRONGER:
        if name not in there and (name != "dropout" or "dropout" in settings.get("model", {})):
            return _with(name, choices)
    return ""


def _unregularized(settings: Settings, choices: Mapping[str, str]) -> str:
    kept = [name for name in _methods(choices) if name not in REGULARIZERS]
    return f"regularization=[{','.join(kept) or 'none'}]" if len(kept) < len(_methods(choices)) else ""


def _smoothed(settings: Settings, choices: Mapping[str, str]) -> str:
    is_classified = settings.get("dataset", {}).get("task") != "regression"
    return _with("label_smoothing", choices) if is_classified else ""


def _stopped(settings: Settings, choices: Mapping[str, str]) -> str:
    return _with("early_stopping", choices)


def _larger(settings: Settings, choices: Mapping[str, str]) -> str:
    return _sized(settings, choices, 2.0)


def _smaller(settings: Settings, choices: Mapping[str, str]) -> str:
    return _sized(settings, choices, 0.5)


def _sized(settings: Settings, choices: Mapping[str, str], factor: float) -> str:
    """Twice or half as wide, by the knob that the model has."""
    model = settings.get("model", {})
    if choices.get("model") == "linear":
        return "model=mlp" if factor > 1 else ""
    for key in ("width", "hidden", "filters"):
        value = model.get(key)
        if isinstance(value, int):
            return f"model.{key}={max(1, int(value * factor))}"
        if isinstance(value, list | tuple) and value and all(isinstance(one, int) for one in value):
            return f"model.{key}=[{','.join(str(max(1, int(one * factor))) for one in value)}]"
    return ""


def _unsaturated(settings: Settings, choices: Mapping[str, str]) -> str:
    return "model.activation=relu" if settings.get("model", {}).get("activation") in SATURATING else ""


def _leaky(settings: Settings, choices: Mapping[str, str]) -> str:
    return "model.activation=leaky_relu" if settings.get("model", {}).get("activation") == "relu" else ""


def _begun_well(settings: Settings, choices: Mapping[str, str]) -> str:
    init = settings.get("model", {}).get("init")
    return "model.init=he_normal" if init not in (None, "default", "he_normal") else ""


def _normed(settings: Settings, choices: Mapping[str, str]) -> str:
    return _with("batch_norm", choices) if "norm" in settings.get("model", {}) else ""


def _with(name: str, choices: Mapping[str, str]) -> str:
    there = _methods(choices)
    return "" if name in there else f"regularization=[{','.join([*there, name])}]"


def _methods(choices: Mapping[str, str]) -> list[str]:
    return [name for name in choices.get("regularization", "none").split("+") if name != "none"]


Remedy = Callable[[Settings, Mapping[str, str]], str]
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "exploding gradients": (_clipped, _slower),
    "diverging": (_slower, _clipped),
    "lr too high": (_slower, _found),
    "dead ReLUs": (_begun_well, _leaky, _slower),
    "vanishing gradients": (_unsaturated, _begun_well, _normed, _faster),
    "lr too low": (_faster, _found),
    "unstable": (_gentler, _clipped),
    "label noise suspected": (_smoothed, _stopped, _smaller),
    "over-fitting": (_more_data, _augmented, _regularized, _smaller, _stopped),
    "still improving": (_longer, _quicker),
    "under-fitting": (_unregularized, _larger, _found, _longer),
    "saturated early": (_stopped,),
    "healthy": (_longer, _regularized),
}
