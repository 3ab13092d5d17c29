"""Wrong commands about seeds and folds."""

import pytest

from e2e.refusals import Bad, check, names
from e2e.test_bad_commands import ask

TORCH_FREE = [
    Bad("seeds=0", "seeds"),
    Bad("seeds=-1", "seeds"),
    Bad("seeds=1001", "seeds"),
    Bad("seeds=2.5", "seeds"),
    Bad("seeds=true", "seeds"),
    Bad("seeds=[0,1]", "seeds"),
    Bad("seeds=five", "seeds"),
    Bad("seeds=null", "seeds"),
    Bad("seeds=", "seeds"),
    Bad("seeds=1,2", "seeds", says="-m runs each"),
    Bad("sedes=3", "sedes", "seeds"),
    Bad("seeds=2 seed=4294967295", "seeds", says="1 to 1 from seed=4294967295 on"),
    Bad("folds=0", "folds"),
    Bad("folds=101", "folds"),
    Bad("folds=five", "folds"),
    Bad("folds=null", "folds"),
    Bad("folds=[5]", "folds"),
    Bad("fold=0", "fold", says="set folds="),
    Bad("fold=2 seeds=3", "fold", says="set folds="),
    Bad("fold=-1 folds=5", "fold"),
    Bad("fold=5 folds=5", "fold", says="0 to 4, below folds"),
    Bad("fold=all folds=5", "fold"),
    Bad("folds=5 dataset.val_fraction=0", "folds", says="leave out dataset.val_fraction=0"),
    Bad("folds=5 dataset.val_split=last", "dataset.val_split", says="stratified with folds"),
    Bad("folds=20 dataset=synthetic dataset.samples=15", "folds", says="1 to 13"),
    Bad("folds=2 batch_size=900", "batch_size", says="1 to 808"),
    Bad("folds=2 accumulate=30 batch_size=30", "accumulate", says="1 to 27"),
    Bad("folds=5 objective=test/accuracy", "objective", says="decides nothing"),
    Bad("-m seeds=2,0", "seeds"),
    Bad("-m folds=1,5 fold=4", "fold"),
]


@pytest.fixture(scope="module")
def answers():
    return ask(TORCH_FREE)


@pytest.mark.parametrize("case", TORCH_FREE, ids=names(TORCH_FREE))
def test_refused_without_torch(answers, case):
    check(case, **answers[case.line])


@pytest.mark.parametrize(
    "case",
    [
        Bad("folds=60 dataset=synthetic dataset.samples=100", "folds", says="beside the test split"),
        Bad("folds=60 seeds=3 dataset=synthetic dataset.samples=100", "folds", says="beside the test split"),
        Bad("resume=0123abcd seeds=3", "resume"),
    ],
    ids=str,
)
def test_refused_once_the_data_is_read(run_here, tmp_path, case):
    answer = run_here([*case.line.split(), "tracking=none"])
    check(case, answer.code, answer.out, answer.err, left=list(tmp_path.iterdir()))


def test_several_devices_take_one_at_a_time(run_here, tmp_path, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for line, key in {"seeds=3": "seeds", "folds=3": "folds", "seeds=2 folds=3 fold=1": "seeds"}.items():
        answer = run_here([*line.split(), "trainer.devices=2", "batch_size=32"])
        case = Bad(line, key, says="1 with several devices; start a command for each")
        check(case, answer.code, answer.out, answer.err, left=list(tmp_path.iterdir()))
