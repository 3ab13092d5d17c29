"""The training step, validation and their metrics, as a LightningModule.

One Lightning step is a chunk of minibatches: Lightning's own cost is then paid once a chunk. What happens inside a step
is a handful of moments (regularization/method.py) around one owner of the step.
"""

import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import CombinedLoader
from torch import Tensor, nn
from torch.optim import Optimizer

from descent import engine_state
from descent.data.loading import Chunk, EvaluationLoader, OneAfterAnother, TrainingLoader, minibatches
from descent.data.split import Data, Split
from descent.errors import Diverged, Interrupted
from descent.layer_statistics import LayerStatistics, is_sparse_epoch
from descent.pace import Pace
from descent.recipe import Recipe, batch_loss
from descent.regularization.method import Batch, moments
from descent.reproducibility import Noise
from descent.tasks.measures import Tally

if not torch.cuda.is_available():
    # Lightning asks torch to look for GPUs through NVML; without one that costs a tenth of a small step, each step.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


class Engine(pl.LightningModule):
    """Trains `model` on `data` by `recipe`; `history` and `losses` are what came of it."""

    def __init__(self, model: nn.Module, scaling: nn.Module, data: Data, recipe: Recipe) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.scaling = model, scaling
        self.data, self.recipe = data, recipe
        self.pace = Pace(recipe.feed, recipe.growth, len(data.train), recipe.epochs)
        self.history: dict[str, list[tuple[int, float]]] = {}
        self.losses: list[np.ndarray] = []  # one float32 per step, a chunk at a time
        self.statistics = LayerStatistics()
        self.stopped_because: str | None = None
        self.interrupted = 0  # the number of a signal: set from outside, read between steps
        self.stepping = False  # whether somebody reads it
        self.signal_handlers: dict[int, Any] = {}
        self.step_sink: Callable[[str, np.ndarray, int], None] | None = None  # takes every step's loss
        self.steps_done = 0
        self.position = (0, 0)  # the epoch, and how many of its minibatches are trained
        self._earlier: dict[str, Any] = {}  # the state that an earlier sitting left
        self.begun_epoch: dict[str, Any] = {}  # of the epoch that it had begun
        self.seconds_before, self._started = 0.0, time.perf_counter()
        self.evaluated: list[tuple[dict[str, float], list[Tensor]]] = []  # of each split of a test, and the outputs
        self._moments = {
            name: moments(recipe.methods, name)
            for name in ("batch_in", "loss", "after_backward", "after_step", "epoch_end", "evaluate")
        }
        self._loaders: list[TrainingLoader | EvaluationLoader] = []

    # Building

    def configure_optimizers(self) -> Optimizer:
        return self.recipe.optimizer(self.model)

    def train_dataloader(self) -> CombinedLoader:
        rank = self.trainer.global_rank
        self._train_loader = TrainingLoader(self.data.train, self.recipe.feed, self.device, self.scaling, rank)
        self._start_from_position()
        self._loaders.append(self._train_loader)
        self._combined_loader = CombinedLoader(self._train_loader)
        return self._combined_loader

    def val_dataloader(self) -> EvaluationLoader | list[Any]:
        return self.evaluation_loader(self.data.val) if self.data.val else []

    def evaluation_loader(self, split: Split) -> EvaluationLoader:
        device = self.trainer.strategy.root_device  # between two of Lightning's passes the model itself is on the CPU
        self._loaders.append(loader := EvaluationLoader(split, self.recipe.feed, device, self.scaling))
        return loader

    def tested_on(self, splits: Iterable[Split]) -> OneAfterAnother:
        """A loader for one test of several splits; what came of each is then in `evaluated`."""
        return OneAfterAnother([self.evaluation_loader(split) for split in splits])

    def teardown(self, stage: str) -> None:
        while self._loaders:
            self._loaders.pop().close()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # the loaders hand out chunks that are already there

    def on_fit_start(self) -> None:
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._noise = Noise(self.recipe.feed.seed, self.device, self.trainer.global_rank)
        self._optimizer = cast(Optimizer, self.optimizers(use_pl_optimizer=self.recipe.hooked))  # type: ignore[call-overload]
        self._backward: Callable[[Tensor], None] = self.manual_backward if self.recipe.hooked else torch.Tensor.backward
        self._base_rates = [group["lr"] for group in self._optimizer.param_groups]
        self._probe = self.scaling(self.data.train.inputs[:64].to(self.device))
        for method in self.recipe.methods:
            method.prepare(self.model)
        self._epoch, self._started = self.position[0], time.perf_counter()
        if self._earlier:
            engine_state.restore(self, self._earlier)

    def on_train_end(self) -> None:
        self.stepping = False

    def refuse_interruption(self) -> None:
        """End a training that a signal has cut short."""
        if self.interrupted:
            raise Interrupted(self.interrupted)

    @property
    def seconds(self) -> float:
        """Spent in training, over all sittings."""
        return self.seconds_before + time.perf_counter() - self._started

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Plain values and tensors: nothing here needs code to be loaded."""
        checkpoint["descent"] = engine_state.state_of(self)
        checkpoint["loops"] = engine_state.at_epoch_start(checkpoint["loops"], self.position[0], self.steps_done)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._earlier = checkpoint["descent"]
        self.model.to(engine_state.precision_of(checkpoint))  # Lightning widens it only after it has loaded
        epoch, minibatches = self._earlier["position"]
        self.position = (epoch, minibatches)
        self.seconds_before = self._earlier["seconds"]

    def epoch_state(self) -> dict[str, Any]:
        """Of an epoch that has begun; nothing between epochs."""
        if self.position[1] == 0:
            return {}
        return {
            "tally": self._train_tally.state_dict(),
            "metrics": self._epoch_metrics,
            "gradient_norm": self._gradient_norm,
        }

    def on_train_start(self) -> None:
        self.stepping = True
        if self._earlier:
            engine_state.restore_random(self._earlier["random"])
        for number, handler in self.signal_handlers.items():
            signal.signal(number, handler)  # now, because Lightning has just set its own

    # A step

    def training_step(self, chunk: Chunk, index: int) -> None:
        feed = self.pace.feed
        if not chunk.rows:
            return  # an earlier sitting has trained the whole epoch: what is left is its end
        rows = feed.batch_size // feed.devices
        batches = list(zip(minibatches(chunk.inputs, rows), minibatches(chunk.targets, rows), strict=True))
        losses: list[Tensor] = []
        outputs: list[Tensor] = []
        for start in range(0, len(batches), feed.accumulate):
            if self.interrupted:
                break
            group = batches[start : start + feed.accumulate]
            loss, seen = self._step(group, chunk.first + start, chunk.rows)
            losses.append(loss)
            outputs += seen
        if losses:
            self._close_chunk(losses, outputs, chunk.targets)
        self.trainer.should_stop |= bool(self.interrupted)

    def _step(self, group: Sequence[Batch], first: int, rows: int) -> tuple[Tensor, list[Tensor]]:
        if self.recipe.schedule.interval == "step":
            self._set_rate(self.pace.before + first // self.recipe.feed.accumulate, self.pace.total)
        outputs: list[Tensor] = []
        if first + len(group) == self.pace.batches:
            self._observing = True  # rarely: setting a module's attribute costs a hundredth of a small step

        def gradients() -> Tensor:
            outputs.clear()
            return self._gradients(group, first, rows, outputs)

        loss = self.recipe.owner.step(gradients, self._optimizer)
        for moment in self._moments["after_step"]:
            moment(self._trained)
        return loss, outputs

    def _gradients(self, group: Sequence[Batch], first: int, chunk_rows: int, outputs: list[Tensor]) -> Tensor:
        """The gradient of the mean loss over the group's samples, on all devices; returns that loss."""
        for parameter in self._trained:
            parameter.grad = None  # the optimizer's own also tells the profiler, for a thirtieth of a small step
        devices = self.recipe.feed.devices  # they average their gradients; with several a chunk is one step
        rows = chunk_rows / devices if devices > 1 else sum(len(targets) for _, targets in group)
        shared = devices > 1 or len(group) > 1
        losses = []
        for offset, batch in enumerate(group):
            self._noise.at(self._epoch, first + offset)
            for moment in self._moments["batch_in"]:
                batch = moment(batch)
            scalars = {"share": len(batch[1]) / rows} if shared else {}
            loss, seen = batch_loss(self.model, batch, scalars, self.recipe.loss, self._moments["loss"])
            self._backward(loss)
            losses.append(loss.detach())
            outputs.append(seen.detach())
        if self._observing:
            self._observe_gradients()
        for moment in self._moments["after_backward"]:
            moment(self._trained)
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _observe_gradients(self) -> None:
        self._observing = False  # once a step: its owner may ask for the gradient again, from elsewhere
        gradients = [parameter.grad for parameter in self._trained if parameter.grad is not None]
        self._gradient_norm = torch.nn.utils.get_total_norm(gradients)
        if is_sparse_epoch(self._epoch, self.recipe.epochs):
            self.statistics.gradients(self._epoch, self.model)

    def _close_chunk(self, losses: list[Tensor], outputs: list[Tensor], targets: Tensor) -> None:
        trace = torch.stack(losses).float().cpu().numpy()
        first, self.steps_done = self.steps_done, self.steps_done + len(trace)
        self.losses.append(trace)
        if not np.isfinite(trace).all():
            place = int(np.flatnonzero(~np.isfinite(trace))[0])
            raise self.diverged("loss", trace[place], first + place)
        if self.step_sink:
            self.step_sink("loss", trace, first)
        seen = torch.cat(outputs)
        self._train_tally.add(seen, targets[: len(seen)])
        self.position = (self._epoch, self.position[1] + len(outputs))
        if self.position[1] == self.pace.batches:
            if self.recipe.feed.devices > 1:
                self._train_tally.reduce(self.trainer.strategy.reduce)
            self._publish({f"train/{name}": value for name, value in self._train_tally.metrics().items()})
        if not self.recipe.hooked:
            # Lightning counts the steps of its own optimizer wrapper only.
            progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
            for counter in (progress.total, progress.current):
                counter.ready += len(trace)
                counter.completed += len(trace)

    def diverged(self, name: str, value: float, step: int) -> Diverged:
        """The end of a run whose loss is not finite: where, and what to try."""
        rate = self._optimizer.param_groups[0]["lr"]
        return Diverged(
            f"{name}: {value} at step {step} (epoch {self._epoch}), lr {rate:.3g}; "
            f"try lr={rate / 10:.1g} or regularization=[gradient_clipping]"
        )

    # An epoch

    def on_train_epoch_start(self) -> None:
        self._epoch = self.current_epoch
        self._begin_epoch()
        if self.recipe.schedule.interval == "epoch":
            self._set_rate(self._epoch, self.recipe.epochs)

    def _begin_epoch(self) -> None:
        """From its first minibatch, or from where an earlier sitting has left it."""
        begun, self.begun_epoch = self.begun_epoch, {}
        self._train_tally, self._observing = self._new_tally("train"), False
        self._gradient_norm = torch.zeros(())
        self._epoch_metrics: dict[str, float] = {}
        if begun:
            self._train_tally.load_state_dict(begun["tally"], self.device)
            self._gradient_norm = begun["gradient_norm"]
            self._publish(begun["metrics"])
            engine_state.restore_random(self._earlier["random"])  # callbacks have begun this epoch before
        else:
            self.position = (self._epoch, 0)
        self._start_from_position()
        # Lightning has counted the loader's chunks once, for epochs that are all the same.
        self._combined_loader.limits = None
        self.trainer.fit_loop.max_batches = self.trainer.val_check_batch = len(self._train_loader)

    def _start_from_position(self) -> None:
        epoch, minibatches = self.position
        self.pace.begin(epoch, self.steps_done - -(-minibatches // self.recipe.feed.accumulate))
        self._train_loader.begin(epoch, minibatches, self.pace.feed, self.pace.before)

    def on_train_epoch_end(self) -> None:
        if self.interrupted:
            self.trainer.should_stop = True
            return
        self._publish(
            {
                "train/lr": self._optimizer.param_groups[0]["lr"],
                "train/gradient_norm": float(self._gradient_norm),
                **self.pace.metrics(),
            }
        )
        # Several devices must come to the same conclusions: the first one's numbers are everybody's.
        metrics = self.trainer.strategy.broadcast(self._epoch_metrics)
        for name, value in metrics.items():
            self.history.setdefault(name, []).append((self._epoch, value))
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics, self._epoch)
        self._conclude(metrics)

    def _conclude(self, metrics: Mapping[str, float]) -> None:
        self.position = (self._epoch + 1, 0)
        self.recipe.schedule.epoch_end(metrics)
        self.recipe.growth.epoch_end(metrics)
        with self._evaluating():
            self.recipe.best.offer(self._epoch, metrics, self.model)
            if is_sparse_epoch(self._epoch, self.recipe.epochs):
                self.statistics.activations(self._epoch, self.model, self._probe)
        for moment in self._moments["epoch_end"]:
            if reason := moment(self._epoch, metrics):
                self.stopped_because = reason
                self.trainer.should_stop = True

    def _publish(self, metrics: Mapping[str, float]) -> None:
        """To this epoch's record and to Lightning's callbacks, which read them before the epoch's end reaches us."""
        self._epoch_metrics.update(metrics)
        exact = {name: torch.tensor(value, dtype=torch.float64) for name, value in metrics.items()}
        self.trainer.callback_metrics.update(exact)

    def _set_rate(self, position: int, total: int) -> None:
        factor = self.recipe.schedule.factor(position, total) * self.pace.rate
        for group, base in zip(self._optimizer.param_groups, self._base_rates, strict=True):
            group["lr"] = base * factor

    # Evaluation

    def _evaluating(self) -> ExitStack:
        stack = ExitStack()
        for moment in self._moments["evaluate"]:
            stack.enter_context(moment(self.model))
        return stack

    def settle(self) -> None:
        """The model takes the weights that are reported, and is evaluated as it stands from here on."""
        best = self.recipe.best
        if not best.keep:
            with self._evaluating():
                best.take(self.model)
        best.restore(self.model)
        self._moments["evaluate"] = []

    def _new_tally(self, split: str) -> Tally:
        measures = self.recipe.measures
        return Tally(self.recipe.loss, measures, ranked=split in measures.ranked)

    def _evaluate(self, chunk: Chunk, tally: Tally) -> Tensor:
        outputs: Tensor = self.model(chunk.inputs)
        tally.add(outputs, chunk.targets)
        return outputs

    def on_validation_epoch_start(self) -> None:
        self._evaluation, self._tally = self._evaluating(), self._new_tally("val")

    def validation_step(self, chunk: Chunk, index: int) -> None:
        if not self.interrupted:
            self._evaluate(chunk, self._tally)

    def on_validation_epoch_end(self) -> None:
        self._evaluation.close()
        if self.interrupted:
            return
        metrics = self._tally.metrics()
        self._publish({f"val/{name}": value for name, value in metrics.items()})
        if not math.isfinite(metrics["loss"]):
            raise self.diverged("val/loss", metrics["loss"], self.steps_done - 1)  # no step came to show it

    def on_test_epoch_start(self) -> None:
        self._evaluation, self.evaluated = self._evaluating(), []
        self._tallies: list[Tally] = []
        self._answered: list[list[Tensor]] = []

    def test_step(self, batch: tuple[int, Chunk], index: int) -> None:
        number, chunk = batch
        if number == len(self._tallies):
            self._tallies.append(self._new_tally("test"))
            self._answered.append([])
        self._answered[number].append(self._evaluate(chunk, self._tallies[number]).float().cpu())

    def on_test_epoch_end(self) -> None:
        self._evaluation.close()
        self.evaluated = list(zip([tally.metrics() for tally in self._tallies], self._answered, strict=True))

    @property
    def outputs(self) -> Tensor:
        """Of the split that was tested last."""
        return torch.cat(self.evaluated[-1][1])
