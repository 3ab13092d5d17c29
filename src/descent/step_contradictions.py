"""What optimizer, schedule and growing minibatches cannot do together, of the plain settings."""

import re
from collections.abc import Mapping
from typing import Any

from descent.rules import refuse

# Schedules whose factor depends on how long the whole training is.
OF_THE_TOTAL = ("Cosine", "OneCycle", "Polynomial")
# Optimizers whose lr is no more than where they begin.
OWN_LENGTHS = ("Rprop", "LBFGS")


def _weight_decay(settings: Mapping[str, Any]) -> None:
    if settings["weight_decay"] > 0 and "weight_decay" not in settings["optimizer"]:
        hint = "use regularization=[l2] or another optimizer"
        raise refuse("weight_decay", settings["weight_decay"], "0 with an optimizer that has none", hint)


def _nesterov(settings: Mapping[str, Any]) -> None:
    optimizer = settings["optimizer"]
    if optimizer.get("nesterov") and optimizer.get("dampening"):
        raise refuse("optimizer.dampening", optimizer["dampening"], "0 with optimizer.nesterov=true")


def _rprop(settings: Mapping[str, Any]) -> None:
    """Rprop reads lr once, as the size of its first steps: a schedule would change nothing."""
    if not str(settings["optimizer"].get("_target_")).endswith(".Rprop"):
        return
    target = str(settings["scheduler"].get("_target_", "Constant")).rpartition(".")[2]
    if target != "Constant":
        choice = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", target).lower()
        raise refuse("scheduler", choice, "constant with optimizer=rprop, which makes its own step sizes")
    if warmup := settings["scheduler"].get("warmup"):
        raise refuse("scheduler.warmup", warmup, "0 with optimizer=rprop, which makes its own step sizes")


def _warmup(settings: Mapping[str, Any]) -> None:
    length, unit = (settings["scheduler"].get(key) for key in ("warmup", "warmup_interval"))
    epochs = settings["epochs"]
    if unit == "epoch" and length >= epochs:
        raise refuse(
            "scheduler.warmup", length, f"0 to {epochs - 1}, below epochs", "or scheduler.warmup_interval=step"
        )


def _growth(settings: Mapping[str, Any]) -> None:
    """Minibatches that grow, beside what they start from and what counts their steps."""
    growth, scheduler, size = settings["batch_growth"], settings["scheduler"], settings["batch_size"]
    if "factor" not in growth:
        return
    choice = "plateau" if "patience" in growth else "milestones"
    if size == "full":
        raise refuse("batch_growth", choice, "none with batch_size=full, which is as large as it gets")
    if growth["largest"] != "full" and growth["largest"] < size:
        raise refuse("batch_growth.largest", growth["largest"], f"{size} (batch_size) or more, or full")
    if growth["scale_lr"] != "none" and str(settings["optimizer"].get("_target_")).endswith(".Rprop"):
        allowed = "none with optimizer=rprop, which makes its own step sizes"
        raise refuse("batch_growth.scale_lr", growth["scale_lr"], allowed)
    schedule = str(scheduler.get("_target_")).rpartition(".")[2]
    by_step = scheduler.get("interval") == "step"
    if choice == "plateau" and by_step and schedule in OF_THE_TOTAL:
        allowed = "epoch with batch_growth=plateau, where the number of steps is not known"
        raise refuse("scheduler.interval", "step", allowed)
    if not scheduler.get("warmup"):
        return
    if not by_step and schedule not in ("Constant", "Plateau"):
        allowed = "0 with batch_growth and scheduler.interval=epoch, whose length in steps changes"
        raise refuse("scheduler.warmup", scheduler["warmup"], allowed)
    before = growth["patience"] if choice == "plateau" else min(growth["milestones"])
    if scheduler["warmup_interval"] == "epoch" and scheduler["warmup"] > before:
        raise refuse("scheduler.warmup", scheduler["warmup"], f"0 to {before} epochs, before minibatches grow")


def _search(settings: Mapping[str, Any]) -> None:
    """What lr=find cannot measure."""
    if settings["lr"] != "find":
        return
    target = str(settings["optimizer"].get("_target_")).rpartition(".")[2]
    if target in OWN_LENGTHS:
        raise refuse("lr", "find", f"a number with optimizer={target.lower()}, which finds its own lengths of steps")
    if settings["trainer"]["devices"] > 1:
        raise refuse("lr", "find", "a number with several devices", "find it on one, its report says the number")


CHECKS = (_weight_decay, _nesterov, _rprop, _warmup, _growth, _search)
