"""Muon for matrices and AdamW for everything else, as one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import AdamW, Optimizer
from torch.optim import Muon as MatrixMuon


class Muon(Optimizer):
    """Matrices step by torch.optim.Muon, biases, norms and kernels by AdamW; both share lr and weight_decay.

    The two inner optimizers work on this one's groups and state, so that whoever sets a rate, moves or saves the state
    has to know of one optimizer only.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr_fn: str = "match_rms_adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        groups = _as_groups(params)
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        both: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}
        own = {"momentum": momentum, "nesterov": nesterov, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        matrices, others = _part(groups, True), _part(groups, False)
        self._parts: list[Optimizer] = [MatrixMuon(matrices, **both, **own)] if matrices else []  # type: ignore[arg-type]
        if others:
            self._parts.append(AdamW(others, **both, betas=tuple(betas), eps=eps, fused=True))  # type: ignore[arg-type]
        self.param_groups = [group for part in self._parts for group in part.param_groups]
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """The parts look at this optimizer's groups and state, whatever these have been replaced by."""
        start = 0
        for part in self._parts:
            end = start + len(part.param_groups)
            part.param_groups, part.state, start = self.param_groups[start:end], self.state, end


def _as_groups(params: Iterable[Any]) -> list[dict[str, Any]]:
    given = list(params)
    groups = given if given and isinstance(given[0], dict) else [{"params": given}]
    return [{**group, "params": list(group["params"])} for group in groups]


def _part(groups: list[dict[str, Any]], matrices: bool) -> list[dict[str, Any]]:
    chosen = [{**group, "params": [one for one in group["params"] if (one.ndim == 2) is matrices]} for group in groups]
    return [group for group in chosen if group["params"]]
