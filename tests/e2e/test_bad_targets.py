"""Wrong command lines that are refused once the targets, the data or the model are there."""

import shlex

import pytest

from e2e.refusals import Bad, check, names

# What a target or Lightning takes is known once it is imported.
AFTER_IMPORT = [
    Bad("+optimizer.foo=1", "optimizer.foo"),
    Bad("+optimizer.maximise=true", "optimizer.maximise", "maximize"),
    Bad("+model.hiden=[3]", "model.hiden", "hidden"),
    Bad("+trainer.foo=1", "trainer.foo"),
    Bad("+trainer.max_tim=1", "trainer.max_tim", "max_time"),
    Bad("+trainer.max_time=soon", "trainer.max_time"),
    Bad("'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.Typo}]'", "trainer.callbacks._target_"),
    Bad("'trainer.callbacks=[{_target_: torch.nn.ReLU}]'", "trainer.callbacks"),
    Bad("'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.ModelCheckpoint}]'", "trainer.callbacks"),
    Bad("'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.EMAWeightAveraging}]'", "trainer.callbacks"),
    Bad("'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.RichProgressBar}]'", "trainer.callbacks"),
    Bad(
        "'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.StochasticWeightAveraging, swa_lrs: 0.1}]'",
        "trainer.callbacks",
    ),
    Bad(
        "tracking=none 'trainer.callbacks=[{_target_: pytorch_lightning.callbacks.LearningRateMonitor}]'",
        "trainer.callbacks",
        says="tracking=local",
    ),
    Bad("-m dry_run=true,false", "dry_run"),
    Bad("trainer.strategy=foo", "trainer.strategy"),
    Bad("optimizer._target_=torch.optim.Adamm", "optimizer._target_"),
    Bad("optimizer._target_=torch.optim", "optimizer._target_"),
    Bad("model._target_=descent.models.mlp.MPL", "model._target_"),
    Bad("model._target_=null", "model._target_"),
    Bad("model._target_=descent.models.cnn.CNN", "model.hidden"),
    Bad("-m lr=0.1 +optimizer.foo=1,2", "optimizer.foo"),
    Bad("-m model=cnn 'model.channels=[8],[8,8,8,8,8]'", "model.pool"),
    Bad("+optimizer.fused=true +optimizer.foreach=true", "optimizer"),
    # known once the data and the model are there
    Bad("model=cnn model.channels=[8,8,8,8,8]", "model.pool"),
    Bad("regularization=[batch_norm] batch_size=4", "batch_size"),
    Bad("hydra.run.dir={file}/below", "{file}/below", code=4),
    Bad("-m hydra.sweep.dir={file}/below lr=0.1,0.2", "{file}/below", code=4),
]


@pytest.mark.parametrize("case", AFTER_IMPORT, ids=names(AFTER_IMPORT))
def test_refused_once_it_can_be_known(run_here, tmp_path, tmp_path_factory, case):
    file = tmp_path_factory.mktemp("in_the_way") / "file"
    file.touch()
    case = case._replace(key=case.key.format(file=file), line=case.line.replace("{file}", str(file)))
    answer = run_here(shlex.split(case.line))
    check(case, answer.code, answer.out, answer.err, left=[str(path) for path in tmp_path.rglob("*")])


def test_a_device_that_is_not_there(run_here, tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    answer = run_here(["device=cuda"])
    check(Bad("", "device", code=4), answer.code, answer.out, answer.err, left=list(tmp_path.iterdir()))
