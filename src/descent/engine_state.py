"""What an engine must remember to go on as if nothing had happened, as plain values and tensors."""

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning_fabric.utilities import move_data_to_device

if TYPE_CHECKING:
    from descent.engine import Engine


def state_of(engine: "Engine") -> dict[str, Any]:
    """Everything that Lightning does not keep. It loads without running any code."""
    recipe = engine.recipe
    return {
        "position": list(engine.position),
        "epochs": recipe.epochs,
        "seconds": engine.seconds,
        "methods": [method.state_dict() for method in recipe.methods if not method.only_looks],
        "owner": recipe.owner.state_dict(),
        "schedule": recipe.schedule.state_dict(),
        "growth": recipe.growth.state_dict(),
        "best": recipe.best.state_dict(),
        "history": engine.history,
        "losses": torch.from_numpy(np.concatenate([np.empty(0, np.float32), *engine.losses])),
        "layers": engine.statistics.rows,
        "steps_done": engine.steps_done,
        "stopped_because": engine.stopped_because,
        "ended": engine.trainer.should_stop and not engine.interrupted,  # by us, or by a callback of Lightning's
        "epoch": engine.epoch_state(),
        "random": random_state(),
    }


def restore(engine: "Engine", state: dict[str, Any]) -> None:
    """The engine goes on from that state; more epochs than it was meant for are trained as well."""
    recipe = engine.recipe
    acting = [method for method in recipe.methods if not method.only_looks]
    for method, saved in zip(acting, state["methods"], strict=True):
        method.load_state_dict(move_data_to_device(saved, engine.device))
    recipe.owner.load_state_dict(move_data_to_device(state["owner"], engine.device))
    recipe.schedule.load_state_dict(state["schedule"])
    recipe.growth.load_state_dict(state["growth"])
    recipe.best.load_state_dict(state["best"], engine.device)
    engine.history = {name: [(int(at), value) for at, value in points] for name, points in state["history"].items()}
    engine.losses = [state["losses"].numpy()] if len(state["losses"]) else []
    engine.statistics.rows = state["layers"]
    engine.steps_done = state["steps_done"]
    if recipe.epochs == state["epochs"]:
        engine.stopped_because, engine.trainer.should_stop = state["stopped_because"], state["ended"]
    engine.begun_epoch = state["epoch"]


def restore_random(state: dict[str, Any]) -> None:
    """Generators that code of the user's may draw from; our own draws depend on the position alone."""
    python, numpy, cuda = state["python"], state["numpy"], state["cuda"]
    random.setstate((python[0], tuple(_words(python[1]).tolist()), python[2]))
    np.random.set_state((numpy[0], _words(numpy[1]).numpy().astype(np.uint32), *numpy[2:]))
    torch.set_rng_state(state["torch"].cpu())
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([part.cpu() for part in cuda])


def at_epoch_start(loops: dict[str, Any], epoch: int, steps: int) -> dict[str, Any]:
    """Lightning's own counters as they are before an epoch: it begins that one, and our loader knows from where."""
    fit = _zeroed(loops["fit_loop"])
    for counter in fit["epoch_progress"].values():
        counter.update(dict.fromkeys(counter, epoch))
    fit["epoch_loop.manual_optimization.optim_step_progress"]["total"].update(ready=steps, completed=steps)
    fit["epoch_loop.state_dict"] = loops["fit_loop"]["epoch_loop.state_dict"]
    return {**loops, "fit_loop": fit}


def precision_of(checkpoint: dict[str, Any]) -> torch.dtype:
    """In which the weights of one of Lightning's checkpoints were kept."""
    weights: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return next((tensor.dtype for tensor in weights.values() if tensor.is_floating_point()), torch.float32)


def _words(saved: Any) -> torch.Tensor:
    return torch.as_tensor(saved, device="cpu")


def _zeroed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _zeroed(part) for key, part in value.items()}
    return type(value)(0) if isinstance(value, int) else value


def random_state() -> dict[str, Any]:
    """Of every generator there is, as plain values and tensors."""
    version, words, gauss = random.getstate()
    name, key, *rest = np.random.get_state(legacy=True)
    return {
        "python": [version, torch.tensor(words), gauss],  # as a tensor: torch saves number after number far slower
        "numpy": [
            str(name),
            torch.from_numpy(np.asarray(key, dtype=np.int64)),
            *(part.item() if hasattr(part, "item") else part for part in rest),
        ],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
