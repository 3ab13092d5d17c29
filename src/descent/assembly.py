"""From a Config to the objects that train."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytorch_lightning as pl
from torch import nn

from descent import contradictions, preparing, signatures, sizing
from descent.config import Component, Config, located
from descent.data.loading import Feed
from descent.data.preparation import prepared
from descent.data.scaling import Scaling
from descent.data.source import Source
from descent.data.split import Data
from descent.engine import Engine
from descent.models.shapes import refuse_lone_sample
from descent.nodes import build
from descent.optim import building, warmup
from descent.optim.schedules import Schedule
from descent.recipe import Recipe
from descent.regularization.method import Methods
from descent.reproducibility import seeded
from descent.restoring import BestWeights
from descent.tasks.losses import outputs_for
from descent.tasks.measures import measures_of
from descent.trainer import device_of, has_batch_hooks


@dataclass(frozen=True)
class Parts:
    """A run that is ready to start."""

    data: Data
    engine: Engine
    callbacks: list[pl.Callback]
    threads: int
    parameters: int
    multiply_adds: int

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run, where nothing ends it early and no plateau makes them fewer."""
        return self.engine.pace.total


def read(config: Config) -> Source:
    """All samples of the dataset, as its target returns them."""
    return cast(Source, build("dataset", signatures.without_common_knobs(located(config.dataset))))


def load(config: Config, read: Callable[[Config], Source] = read) -> Data:
    """The dataset under the knobs that all datasets have, split; as src/prepare.py left it, where it did."""
    how = config.dataset.settings, config.folds, config.fold or 0
    return preparing.cached(config) or prepared(read(config), *how)


def assemble(config: Config, data: Data | None = None, also: Methods = ()) -> Parts:
    """Data, model, and the engine that trains one on the other; the initial weights are a function of the seed."""
    data = data or load(config)
    contradictions.refuse_batches(config.batch_size, config.accumulate, len(data.train))
    batch_size = len(data.train) if config.batch_size == "full" else config.batch_size
    loss = build("loss", config.loss)
    with seeded(config.seed, "initialisation"):
        model: nn.Module = build("model", config.model, **data.described, outputs=outputs_for(loss, data))
    methods = [build(f"regularization.{item.choice}", item) for item in config.regularization if item.target]
    for method in methods:
        method.join(model, data.outputs)
    scaling = Scaling(data.train.inputs, config.dataset.settings["scaling"])
    if config.augmentation.target:
        methods.append(build("augmentation", config.augmentation, scaling=scaling, images=data.train.inputs))
    callbacks = [build("trainer.callbacks", Component("", one)) for one in config.trainer.get("callbacks") or []]
    work = sizing.multiply_adds(model, data.input_shape)
    hooked = config.trainer["devices"] > 1 or any(map(has_batch_hooks, callbacks))
    step_rows = batch_size * config.accumulate
    row_bytes = 4 * data.train.inputs[0].numel()
    fitting = 1 if hooked else sizing.chunk_for(work * step_rows, row_bytes, step_rows, device_of(config))
    chunk = fitting if config.loader.chunk == "auto" or hooked else config.loader.chunk
    factory = build("optimizer", config.optimizer)
    optimizer = building.on_model(factory, config.weight_decay)
    building.refuse_unbuildable(optimizer, model, config.optimizer.target)
    reading = config.loader.drop_last, config.seed, config.loader.stream, config.loader.workers
    shared = config.trainer["devices"], config.checkpoint.every
    feed = Feed(batch_size, config.accumulate, chunk, *reading, *shared)
    recipe = Recipe(
        optimizer=optimizer,
        schedule=_schedule(config, feed.steps(len(data.train))),
        methods=[*methods, *also],
        loss=loss,
        measures=measures_of(data, config.monitored),
        feed=feed,
        best=BestWeights(config.objective, config.direction, keep=config.restore == "best"),
        epochs=config.epochs,
        owner=building.owner_of(factory, methods),
        hooked=hooked,
        growth=build("batch_growth", config.batch_growth),
    )
    threads = sizing.threads_for(work * batch_size) if config.threads == "auto" else config.threads
    engine = Engine(model, scaling, data, recipe)
    refuse_lone_sample(model, data.input_shape, len(data.train), engine.pace.sizes(), config.loader.drop_last)
    return Parts(data, engine, callbacks, threads, sizing.parameter_count(model), work)


def _schedule(config: Config, epoch_steps: int) -> Schedule:
    settings = config.scheduler.settings
    own = {name: value for name, value in settings.items() if name not in warmup.KNOBS}
    return warmup.warmed_up(build("scheduler", Component(config.scheduler.choice, own)), settings, epoch_steps)
