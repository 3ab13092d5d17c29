"""Wrong command lines that are refused before anything heavy is imported."""

import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.refusals import PROJECT, Bad, check, names

SOURCE = PROJECT / "src"
TORCHLESS = Path(__file__).with_name("torchless.py")

# Answered without torch, Lightning, MLflow, Optuna or scikit-learn.
TORCH_FREE = [
    # keys that do not exist
    Bad("lrr=1", "lrr", "lr"),
    Bad("+lrr=1", "lrr", "lr"),
    Bad("++lrr=1", "lrr", "lr"),
    Bad("learning_rate=0.1", "learning_rate", "lr"),
    Bad("batchsize=32", "batchsize", "batch_size"),
    Bad("epoch=3", "epoch", "epochs"),
    Bad("optimiser=adam", "optimiser", "optimizer"),
    Bad("+hello=world", "hello"),
    Bad("+hello.there=world", "hello"),
    Bad("model.hiden=[3]", "model.hiden", "model.hidden"),
    Bad("model=cnn model.chanels=[3]", "model.chanels", "model.channels"),
    Bad("model.chanels=[3] model=cnn", "model.chanels", "model.channels"),
    Bad("model.hidden.x=1", "model.hidden.x", "model.hidden"),
    Bad("optimizer.betta=[0.1,0.1]", "optimizer.betta", "optimizer.betas"),
    Bad("scheduler=step scheduler.gama=0.5", "scheduler.gama", "scheduler.gamma"),
    Bad("dataset.val_frac=0.2", "dataset.val_frac", "dataset.val_fraction"),
    Bad("tracking.steeps=true", "tracking.steeps", "tracking.steps"),
    Bad("loader.worker=2", "loader.worker", "loader.workers"),
    Bad("trainer.device=2", "trainer.device", "trainer.devices"),
    Bad(
        "regularization=[dropout] regularization.dropout.q=0.1", "regularization.dropout.q", "regularization.dropout.p"
    ),
    Bad("regularization.dropout.p=0.1", "regularization.dropout.p", says="set regularization=[dropout]"),
    Bad("regularization=[l2] regularization.dropot.p=0.1", "regularization.dropot.p", "dropout"),
    Bad("loss=mse loss.task=regression", "loss.task", "dataset.task"),
    Bad("optimizer.learning_rate=1", "optimizer.learning_rate", "lr"),
    Bad("hidden=[3]", "hidden", "model.hidden"),
    Bad("hydra.foo=1", "hydra.foo"),
    # what it is called elsewhere
    Bad("batch-size=32", "batch-size", "batch_size"),
    Bad("bs=32", "bs", "batch_size"),
    Bad("n_epochs=3", "n_epochs", "epochs"),
    Bad("model.layers=3", "model.layers", "model.depth"),
    Bad("model.n_layers=3", "model.n_layers", "model.depth"),
    Bad("gpus=1", "gpus", "device=cuda"),
    Bad("momentum=0.9", "momentum", "optimizer=momentum optimizer.momentum=0.9"),
    Bad("num_workers=2", "num_workers", "loader.stream=true loader.workers=2"),
    Bad("dropout=0.3", "dropout", "regularization=[dropout] regularization.dropout.p=0.3"),
    Bad("l2=0.01", "l2", "regularization=[l2] regularization.l2.strength=0.01"),
    Bad("early_stopping=true", "early_stopping", "regularization=[early_stopping]"),
    Bad("--epochs 3", "--epochs", "epochs=3"),
    Bad("--lr=0.1", "--lr=0.1", "lr=0.1"),
    Bad("--learning-rate 0.1", "--learning-rate", "lr=0.1"),
    Bad("--optimizer=adam", "--optimizer=adam", "optimizer=adam"),
    Bad("optimizer=sgd,adam", "optimizer", says="-m runs each of several, add it"),
    # choices that do not exist
    Bad("optimizer=adamm", "optimizer", "adam"),
    Bad("model=mpl", "model", "mlp"),
    Bad("model=xyz", "model", says="mlp | resnet"),
    Bad("scheduler=cosin", "scheduler", "cosine"),
    Bad("dataset=digit", "dataset", "digits"),
    Bad("dataset=fashionmnist", "dataset", "fashion_mnist"),
    Bad("loss=crossentropy", "loss", "cross_entropy"),
    Bad("tracking=mlflow", "tracking", says="local | none | server"),
    Bad("augmentation=flop", "augmentation", "flip"),
    Bad("augmentation=light dataset=synthetic", "augmentation", says="with dataset.kind=image"),
    Bad("augmentation=light augmentation.flip=2", "augmentation.flip", says="float [0, 1]"),
    Bad("augmentation=light augmentation.zoom=1.2", "augmentation.zoom", says="list of 2 float"),
    Bad("augmentation=light augmentation.zoom=[1.2,0.9]", "augmentation.zoom", says="the smaller number first"),
    Bad("augmentation=light augmentation.padding=white", "augmentation.padding", says="edge | reflect | black"),
    Bad("augmentation=light augmentation.rotate=5", "augmentation.rotate", "augmentation.rotation"),
    Bad("augmentation.flip=0.5", "augmentation.flip", says="with augmentation=article | colour"),
    Bad("trainer=gpu", "trainer", says="default"),
    Bad("experiment=nothing", "experiment"),
    Bad("regularization=[dropot]", "regularization", "dropout"),
    Bad("regularization=[l2,l3]", "regularization", "l2"),
    Bad("hydra/launcher=nothing", "hydra/launcher"),
    Bad("model=null", "model", says="mlp | resnet"),
    Bad("model=", "model", says="got ''"),
    Bad("model=[mlp,cnn]", "model", says="mlp | resnet"),
    Bad("regularization=null", "regularization"),
    Bad("regularization=[]", "regularization", says="use regularization=[none]"),
    Bad("+optimizer=sgd", "optimizer", says="leave out the +"),
    Bad("model@other=cnn", "model"),
    # types and ranges
    Bad("lr=0", "lr", says="got 0, allowed float (0, inf)"),
    Bad("lr=-1", "lr"),
    Bad("lr=nan", "lr"),
    Bad("lr=inf", "lr"),
    Bad("lr=1e-3x", "lr"),
    Bad("lr=true", "lr", says="got true"),
    Bad("lr=", "lr", says="got ''"),
    Bad("lr=null", "lr"),
    Bad("lr=[0.1,0.2]", "lr", says="got [0.1,0.2]"),
    Bad("lr={a:1}", "lr"),
    Bad("lr=fnd", "lr", "find"),
    Bad("lr=find optimizer=rprop", "lr", says="a number with optimizer=rprop"),
    Bad("lr=find trainer.devices=2", "lr", says="several devices"),
    Bad("lr=find optimizer=lbfgs", "lr", says="a number with optimizer=lbfgs"),
    Bad("-m lr=find,0", "lr", says="got 0"),
    Bad("optimizer.lr=find", "optimizer.lr", says="set lr=find instead"),
    Bad("epochs=0", "epochs"),
    Bad("epochs=2.5", "epochs"),
    Bad("epochs=true", "epochs"),
    Bad("epochs=1e3", "epochs"),
    Bad("batch_size=0", "batch_size"),
    Bad("batch_size=al", "batch_size"),
    Bad("batch_size=ful", "batch_size", "full"),
    Bad("accumulate=0", "accumulate"),
    Bad("seed=-1", "seed"),
    Bad("seed=4294967296", "seed"),
    Bad(f"seed={'9' * 400}", "seed"),
    Bad(f"seed={'9' * 5000}", "seed"),
    Bad("weight_decay=-1", "weight_decay"),
    Bad("threads=0", "threads"),
    Bad("threads=many", "threads"),
    Bad("direction=max", "direction", "maximize"),
    Bad("restore=worst", "restore", says="best | last"),
    Bad("device=gpu", "device", "cuda"),
    Bad("precision=16", "precision", "bf16-mixed"),
    Bad("precision=16-mixed", "precision", "bf16-mixed"),
    Bad("precision=fp16", "precision", "bf16-mixed"),
    Bad("determinism=true", "determinism"),
    Bad("determinism=fas", "determinism", "fast"),
    Bad("dry_run=1", "dry_run", says="true | false"),
    Bad("name=a/b", "name"),
    Bad("name=..", "name"),
    Bad("name=", "name"),
    Bad(f"name={'n' * 300}", "name"),
    Bad("tags=arm", "tags"),
    Bad("tags=[a,b]", "tags"),
    Bad("tags={a:{b:1}}", "tags"),
    Bad("loader.chunk=0", "loader.chunk"),
    Bad("loader.workers=-1", "loader.workers"),
    Bad("loader=fast", "loader"),
    Bad("model.hidden=256", "model.hidden"),
    Bad("model.hidden=[0]", "model.hidden"),
    Bad("model.hidden=[1.5]", "model.hidden"),
    Bad(f"model.hidden={[0] * 200}".replace(" ", ""), "model.hidden"),
    Bad("model.activation=rely", "model.activation", "relu"),
    Bad("model=cnn model.kernel=4", "model.kernel"),
    Bad("model=cnn model.channels=[]", "model.channels"),
    Bad("optimizer.betas=[0.9]", "optimizer.betas"),
    Bad("optimizer.betas=[0.9,1.0]", "optimizer.betas"),
    Bad("optimizer.eps=0", "optimizer.eps"),
    Bad("optimizer.amsgrad=yes!", "optimizer.amsgrad"),
    Bad("optimizer=momentum optimizer.momentum=1", "optimizer.momentum"),
    Bad("scheduler=step scheduler.every=0", "scheduler.every"),
    Bad("scheduler=step scheduler.interval=batch", "scheduler.interval"),
    Bad("scheduler=cosine scheduler.minimum=1", "scheduler.minimum"),
    Bad("scheduler=plateau scheduler.factor=1", "scheduler.factor"),
    Bad("regularization=[dropout] regularization.dropout.p=1.5", "regularization.dropout.p"),
    Bad("regularization=[dropout] regularization.dropout.p=1", "regularization.dropout.p"),
    Bad("regularization=[l2] regularization.l2.strength=0", "regularization.l2.strength"),
    Bad(
        "regularization=[gradient_clipping] regularization.gradient_clipping.max_norm=-1",
        "regularization.gradient_clipping.max_norm",
    ),
    Bad(
        "regularization=[early_stopping] regularization.early_stopping.patience=0",
        "regularization.early_stopping.patience",
    ),
    Bad("dataset.val_fraction=1", "dataset.val_fraction"),
    Bad("dataset.val_fraction=-0.1", "dataset.val_fraction"),
    Bad("dataset.samples=100", "dataset.samples"),
    Bad("dataset.fraction=0", "dataset.fraction"),
    Bad("dataset.fraction=1.1", "dataset.fraction"),
    Bad("dataset.resize=0", "dataset.resize"),
    Bad("dataset.resize=[8]", "dataset.resize"),
    Bad("dataset.channels=2", "dataset.channels"),
    Bad("dataset.val_split=first", "dataset.val_split"),
    Bad("dataset.cache=aut", "dataset.cache", "auto", says="A folder of that name is ./aut"),
    Bad("dataset.cache=none", "dataset.cache", "null"),
    Bad("dataset.scaling=standart", "dataset.scaling", "standard"),
    Bad("dataset.features=a", "dataset.features"),
    Bad("dataset=synthetic dataset.features=[-1]", "dataset.features"),
    Bad("dataset=synthetic dataset.features=[]", "dataset.features"),
    Bad("dataset=synthetic dataset.difficulty=2", "dataset.difficulty"),
    Bad("dataset=synthetic dataset.shape=[]", "dataset.shape"),
    Bad("dataset=synthetic dataset.kind=imag", "dataset.kind", "image"),
    Bad("dataset=synthetic dataset.task=regresion", "dataset.task", "regression"),
    Bad("trainer.devices=0", "trainer.devices"),
    Bad("trainer.profiler=fancy", "trainer.profiler"),
    Bad("trainer.callbacks=[a]", "trainer.callbacks"),
    Bad("tracking.model=2", "tracking.model"),
    Bad("tracking.experiment=", "tracking.experiment"),
    # two truths, and keys that are none
    Bad("model.dropout=0.5", "model.dropout", says="set regularization.dropout.p=0.5 instead"),
    Bad("model.norm=batch", "model.norm"),
    Bad("optimizer.lr=0.1", "optimizer.lr", says="set lr=0.1 instead"),
    Bad("optimizer.weight_decay=0.1", "optimizer.weight_decay", says="set weight_decay=0.1 instead"),
    Bad("tracking.kind=server", "tracking.kind"),
    Bad("allowed.lr=str", "allowed.lr"),
    Bad("model.allowed.hidden=str", "model.allowed.hidden"),
    Bad("+model.requires=lr", "model.requires"),
    Bad("optimizer._partial_=false", "optimizer._partial_"),
    Bad("+model._args_=[1]", "model._args_", "model.norm"),
    Bad("~lr", "lr", says="no key can be taken away"),
    Bad("~optimizer", "optimizer"),
    Bad("~tracking", "tracking"),
    Bad("~nothing", "nothing"),
    # settings that are wrong together
    Bad("batch_size=1438", "batch_size", says="1 to 1437"),
    Bad("accumulate=46", "accumulate", says="1 to 45"),
    Bad("dataset=synthetic dataset.samples=20 batch_size=17", "batch_size", says="1 to 16"),
    Bad("dataset=mnist dataset.test_fraction=0.2", "dataset.test_fraction", says="its own test part has 10000 samples"),
    Bad("dataset=svhn dataset.verify=maybe", "dataset.verify", says="got maybe, allowed true | false"),
    Bad("dataset=cifar10 dataset.dowload=true", "dataset.dowload", "dataset.download"),
    Bad("dataset=cifar10 dataset.samples=10", "dataset.samples", says="allowed 50000"),
    Bad("dataset=image_folder dataset.others=0", "dataset.others", says="allowed refuse | skip"),
    Bad("dataset=mnist dataset.root=''", "dataset.root"),
    Bad("dataset=mnist batch_size=54001", "batch_size", says="1 to 54000"),
    Bad("dataset.val_fraction=0.5 dataset.test_fraction=0.5", "dataset.val_fraction"),
    Bad("dataset.val_fraction=0.0001", "dataset.val_fraction"),
    Bad(
        "dataset=synthetic dataset.samples=10 dataset.val_fraction=0.5 dataset.test_fraction=0.49",
        "dataset.val_fraction",
    ),
    Bad("dataset=synthetic dataset.kind=image", "dataset.shape"),
    Bad("dataset=synthetic dataset.resize=8", "dataset.resize", says="null for a table"),
    Bad("dataset=synthetic dataset.channels=3", "dataset.channels", says="null for a table"),
    Bad("dataset.features=[1,2]", "dataset.features", says="null for an image"),
    Bad("dataset=synthetic dataset.features=[1,1]", "dataset.features", says="each column once"),
    Bad("dataset.fraction=0.0001", "dataset.fraction", says="enough for one training sample"),
    Bad("dataset.fraction=0.01", "batch_size", says="1 to 14"),
    Bad("regularization=[l2,l2]", "regularization"),
    Bad("""'regularization=["l2","l2"]'""", "regularization"),
    Bad("regularization=[none,l2]", "regularization"),
    Bad("dataset=synthetic model=cnn", "model"),
    Bad("dataset=synthetic dataset.task=regression loss=cross_entropy", "loss"),
    Bad("optimizer=momentum optimizer.nesterov=true optimizer.dampening=0.5", "optimizer.dampening"),
    Bad("loader.workers=2", "loader.workers", says="set loader.stream=true"),
    Bad("trainer.devices=2", "trainer.devices"),
    Bad("trainer.check_val_every_n_epoch=21", "trainer.check_val_every_n_epoch"),
    Bad("objective=accuracy", "objective", "val/accuracy"),
    Bad("objective=val/accurcy", "objective", "val/accuracy"),
    Bad("objective=test/accuracy", "objective", says="the test split decides nothing"),
    Bad("objective=val/mae", "objective", says="mae is of regression, and this is classification"),
    Bad("dataset=diabetes objective=val/f1", "objective", says="f1 is of classification, and this is regression"),
    Bad("dataset=iris objective=val/top5", "objective", says="top5 is for more than 5 classes"),
    Bad("scheduler=plateau scheduler.monitor=val/r2", "scheduler.monitor", says="r2 is of regression"),
    Bad("objective=val/accuracy dataset.val_fraction=0", "objective", says="no validation split"),
    Bad("scheduler=plateau scheduler.monitor=val/lss", "scheduler.monitor", "val/loss"),
    Bad("scheduler=plateau scheduler.monitor=val/loss dataset.val_fraction=0", "scheduler.monitor"),
    Bad(
        "regularization=[early_stopping] regularization.early_stopping.monitor=val/loss dataset.val_fraction=0",
        "regularization.early_stopping.monitor",
    ),
    Bad("tracking=server", "tracking.uri", says="set tracking.uri=http://…"),
    Bad("tracking=server tracking.uri=null", "tracking.uri"),
    Bad("+trainer.limit_val_batches=0", "trainer.limit_val_batches", says="dataset.val_fraction"),
    Bad("+trainer.num_nodes=2", "trainer.num_nodes", says="trainer.devices"),
    Bad("+trainer.gradient_clip_val=1", "trainer.gradient_clip_val", says="regularization=[gradient_clipping]"),
    Bad("+trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches", says="use accumulate=…"),
    Bad("+trainer.precision=16-true", "trainer.precision", says="use precision=…"),
    Bad("+trainer.max_epochs=3", "trainer.max_epochs", says="use epochs=…"),
    Bad("+trainer.accelerator=gpu", "trainer.accelerator", says="use device=…"),
    Bad("batch_growth=plateu", "batch_growth", "plateau"),
    Bad("batch_growth=milestones batch_growth.factor=1", "batch_growth.factor"),
    Bad("batch_growth=milestones batch_growth.milestones=[0]", "batch_growth.milestones"),
    Bad("batch_growth=milestones batch_growth.largest=0", "batch_growth.largest"),
    Bad("batch_growth=milestones batch_growth.largest=al", "batch_growth.largest", says="int [1, inf) | full"),
    Bad("batch_growth=milestones batch_growth.scale_lr=root", "batch_growth.scale_lr", "sqrt"),
    Bad("batch_growth=milestones batch_growth.patience=3", "batch_growth.patience", "batch_growth.milestones"),
    Bad("batch_growth.factor=2", "batch_growth.factor", "batch_growth"),
    Bad("batch_growth=milestones batch_growth.largest=16", "batch_growth.largest", says="32 (batch_size) or more"),
    Bad("batch_growth=milestones batch_size=full", "batch_growth", says="none with batch_size=full"),
    Bad("batch_growth=plateau optimizer=lbfgs", "batch_growth", says="got plateau, allowed none"),
    Bad(
        "batch_growth=milestones optimizer=rprop batch_size=64 batch_growth.scale_lr=sqrt",
        "batch_growth.scale_lr",
        says="none with optimizer=rprop",
    ),
    Bad("batch_growth=plateau batch_growth.monitor=val/lss", "batch_growth.monitor", "val/loss"),
    Bad("batch_growth=plateau batch_growth.monitor=test/loss", "batch_growth.monitor", says="the test split"),
    Bad("batch_growth=plateau scheduler=cosine", "scheduler.interval", says="epoch with batch_growth=plateau"),
    Bad("batch_growth=plateau scheduler=one_cycle", "scheduler.interval"),
    Bad(
        "batch_growth=milestones scheduler=step scheduler.warmup=5",
        "scheduler.warmup",
        says="0 with batch_growth and scheduler.interval=epoch",
    ),
    Bad(
        "batch_growth=milestones scheduler.warmup=11 scheduler.warmup_interval=epoch",
        "scheduler.warmup",
        says="0 to 10 epochs",
    ),
    # what Hydra cannot read, and what it reads and should not
    Bad("lr", "lr", says="got no value"),
    Bad("'hello world'", "hello world"),
    Bad("=1", "=1"),
    Bad("lr==1", "lr"),
    Bad("""'lr="'""", "lr"),
    Bad("'lr=[1'", "lr"),
    Bad("'model.hidden=[256'", "model.hidden"),
    Bad("'tags={a:b'", "tags"),
    Bad("lr=0.1,0.2", "lr", says="-m runs each"),
    Bad("regularization=l2,dropout", "regularization", says="a list is regularization=[…]"),
    Bad("'lr=${nothing}'", "lr"),
    Bad("'lr=${lr}'", "lr"),
    Bad("'lr=${oc.env:NO_SUCH_VARIABLE}'", "lr"),
    # a bad point among good ones
    Bad("-m lr=0.1,0.01,-1", "lr", says="got -1"),
    Bad("-m lr=0.1 batch_size=32,5000", "batch_size"),
    Bad("-m 'lr=range(0,3)'", "lr", says="got 0"),
    Bad("-m 'lr=interval(0.001,0.1)'", "lr", says="got an interval"),
    Bad("-m model=mlp,cnnn", "model", "cnn"),
    Bad("-m 'model=glob(x*)'", "model"),
    Bad("-m lrr=1,2", "lrr", "lr"),
    Bad("-m optimizer=adam,sgd optimizer.betas=[0.9,0.99]", "optimizer.betas", "optimizer.lr"),
    Bad("-m 'regularization=[l2],[l2,l2]'", "regularization"),
    Bad("-m 'regularization=[l2],[none,l2]'", "regularization"),
    Bad("-m 'regularization=[l2],[l3]'", "regularization", "l2"),
    Bad("-m model=mlp,cnn dataset=digits,synthetic", "model"),
    # runs that go on
    Bad("resume=atuo", "resume", "auto"),
    Bad("resume=Never", "resume", "never"),
    Bad("resume=lastest", "resume", "latest"),
    Bad("resume=0123abcd", "resume", says="there is no run yet"),
    Bad("resume=01234567 epochs=40", "resume", says="got 01234567"),
    Bad("resume=/nowhere/at/all", "resume", says="a run's id, name or directory"),
    Bad("resume=", "resume", says="got ''"),
    Bad("resume=null", "resume"),
    Bad("resume=true", "resume"),
    Bad("resume=[auto]", "resume"),
    Bad("resume=a,b", "resume", says="-m runs each"),
    Bad("-m resume=0123abcd seed=0,1", "resume", says="auto | never in a multirun"),
    Bad("-m resume=auto,0123abcd", "resume", says="got 0123abcd"),
    Bad("checkpoint.seconds=-1", "checkpoint.seconds"),
    Bad("checkpoint.every=0", "checkpoint.every"),
    Bad("checkpoint.evry=5", "checkpoint.evry", "checkpoint.every"),
    # data that is not there
    Bad("dataset=mnist", "{root}/data/mnist/train-images-idx3-ubyte.gz", says="missing; put it and", code=3),
    Bad("-m dataset=svhn seed=0,1", "{root}/data/svhn/train_32x32.mat", says="dataset.download=true", code=3),
    Bad("dataset=cifar10", "{root}/data/cifar10/cifar-10-python.tar.gz", says="missing", code=3),
    Bad("dataset=image_folder", "{root}/data/image_folder", says="no folder", code=3),
    Bad("dataset=csv dataset.path=no.csv dataset.target=x", "no.csv", says="no such file", code=3),
    Bad("prepare.py dataset=kmnist", "{root}/data/kmnist/train-images-idx3-ubyte.gz", says="missing", code=3),
    # and runs
    Bad("evaluate.py run=0123abcd", "run", says="there is no run yet"),
    Bad("evaluate.py run=lastest", "run", "latest"),
    Bad("diagnose.py run=best", "run", says="there is no finished run yet"),
    Bad("reproduce.py run=x/y", "run", says="a run's id, name or directory"),
    # flags
    Bad("--foo", "unrecognized arguments"),
    Bad("-x", "unrecognized arguments"),
    Bad("--cfg jobb", "--cfg/-c"),
    Bad("--cfg", "--cfg/-c"),
    Bad("--config-name nothing", "--config-name"),
    Bad("--config-path /nowhere", "--config-path"),
    Bad("--config-dir /nowhere", "--config-dir"),
    Bad("--resolve", "--resolve"),
    Bad("--package model", "--package"),
    Bad("-m --cfg job", "--cfg"),
    Bad("--experimental-rerun config.pickle", "--experimental-rerun"),
]


@pytest.fixture(scope="module")
def answers():
    """All of them from two Pythons that cannot import torch, half of the table each."""
    halves = [TORCH_FREE[::2], TORCH_FREE[1::2]]
    with ThreadPoolExecutor() as pool:
        return {line: answer for half in pool.map(ask, halves) for line, answer in half.items()}


def ask(cases: list[Bad]) -> dict[str, dict[str, Any]]:
    command = [sys.executable, str(TORCHLESS), str(SOURCE)]
    words = [shlex.split(case.line) for case in cases]
    asked = json.dumps([line if line[0].endswith(".py") else ["train.py", *line] for line in words])
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(zip((case.line for case in cases), json.loads(done.stdout), strict=True))


def test_the_table_is_long_and_without_repeats():
    lines = [case.line for case in TORCH_FREE]
    assert len(lines) >= 60
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("case", TORCH_FREE, ids=names(TORCH_FREE))
def test_refused_without_torch(answers, case):
    check(case, **answers[case.line])


@pytest.mark.parametrize(
    "case",
    [
        Bad("lrr=1", "lrr", "lr"),
        Bad("model=mpl", "model", "mlp"),
        Bad("-m lr=0.1,-1", "lr"),
        Bad("--foo", "unrecognized arguments"),
        Bad("batch_size=5000", "batch_size"),
    ],
    ids=str,
)
def test_refused_in_a_process_of_its_own(run_command, tmp_path, case):
    done = run_command(shlex.split(case.line))
    check(case, done.returncode, done.stdout, done.stderr, left=list(tmp_path.iterdir()))


def test_the_tree_is_left_alone_when_no_root_is_set(run_command):
    before = {path for path in PROJECT.iterdir() if path.name not in ("runs", "sweeps", "mlflow.db", "mlruns")}
    runs = {path: sorted(path.rglob("*")) for path in (PROJECT / "runs", PROJECT / "sweeps")}
    done = run_command(["lr=-1"], {"DESCENT_ROOT": str(PROJECT)})
    assert done.returncode == 2
    assert before <= set(PROJECT.iterdir())
    assert {path: sorted(path.rglob("*")) for path in runs} == runs


def test_debug_shows_where_it_came_from(run_here, monkeypatch):
    monkeypatch.setenv("DESCENT_DEBUG", "1")
    answer = run_here(["lr=-1"])
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert "lr: got -1" in answer.err.splitlines()[-1]
