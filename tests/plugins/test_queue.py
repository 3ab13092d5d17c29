"""The queue, on every storage: each trial is run by one worker at a time, and none is lost, whoever is killed."""

import hashlib
import json
import multiprocessing
import os
import signal
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from optuna.trial import TrialState

import postgres
from descent import ownership
from descent.errors import EnvironmentFault, UsageError
from hydra_plugins.descent_sweeper import _storages
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._stopping import Stopping
from hydra_plugins.descent_sweeper._study import ENDED, MOST_CRASHES, MOST_KILLS, OWNER, Queue

PROCESSES = multiprocessing.get_context("fork")
SPACE = [
    parsed("optimizer", "sgd | adam"),
    parsed("momentum", "float [0, 1]", "optimizer=sgd/momentum", (("optimizer", ("sgd",)),)),
    parsed("lr", "float [1e-4, 1] log"),
]
NEVER = Stopping(maximize=True)
MOMENTS = ("claimed", "reported", "told")
MANY = 24
KINDS = ["journal", "sqlite", *(["postgresql"] if postgres.is_here() else [])]


@dataclass(frozen=True)
class Shelf:
    """A place for one study."""

    directory: Path
    storage: str

    def queue(self, kind=Queue):
        mark = hashlib.sha256(str(self.directory).encode()).hexdigest()  # names of directories begin alike
        name = _storages.name_in(self.storage, "study", mark)
        return kind(self.directory, SPACE, self.storage, name)

    def begun(self, total):
        queue = self.queue()
        queue.create(["maximize"])
        queue.extend(total, [])
        return queue

    def joined(self, kind=Queue):
        queue = self.queue(kind)
        queue.open()
        return queue


@pytest.fixture(scope="module")
def servers():
    """Started for the first test that needs one."""
    with ExitStack() as open_ones:
        known = {}

        def address(kind):
            if kind == "postgresql" and kind not in known:
                known[kind] = open_ones.enter_context(postgres.server())
            return known.get(kind, kind)

        yield address


@pytest.fixture(params=KINDS)
def shelf(request, tmp_path, servers):
    return Shelf(tmp_path, servers(request.param))


def value_of(point):
    return float(point["lr"]) + float(point.get("momentum", 0.0))


def dies(directory, number, moment):
    """Every third trial kills its worker once: after its claim, in the middle, or after its end."""
    mark = directory / f"died-{number}"
    if number % 3 == 0 and MOMENTS[number % 4 % 3] == moment and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def drain(shelf, most=None, fatal=False):
    """What a worker does, without a training: notes every start in a file that only it writes."""
    queue = shelf.joined()
    while (most is None or most > 0) and (claim := queue.claim("random", {}, 0, NEVER)):
        with (shelf.directory / f"seen-{os.getpid()}").open("a") as seen:
            seen.write(json.dumps([claim.number, claim.point]) + "\n")
        for moment in MOMENTS if fatal else ():
            if moment == "told":
                queue.finish(claim, TrialState.COMPLETE, [value_of(claim.point)])
            elif moment == "reported":
                claim.trial.report(0.5, 0)
            dies(shelf.directory, claim.number, moment)
        queue.finish(claim, TrialState.COMPLETE, [value_of(claim.point)])
        most = None if most is None else most - 1


def started(target, *args, **kwargs):
    process = PROCESSES.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    return process


def points_of(queue):
    return {trial.number: queue.point_of(trial) for trial in queue.trials(TrialState.COMPLETE)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    shelf = Shelf(tmp_path_factory.mktemp("undisturbed"), "journal")
    queue = shelf.begun(MANY)
    drain(shelf)
    return points_of(queue)


def test_a_total_is_reached_and_extended(shelf):
    queue = shelf.begun(5)
    drain(shelf)
    assert queue.ended == 5
    queue.extend(5, [])
    drain(shelf)
    assert queue.ended == 5
    queue.extend(8, [])
    drain(shelf)
    assert [trial.number for trial in queue.trials(*ENDED)] == list(range(8))


def test_first_points_come_too_late_for_trials_that_exist(shelf):
    queue = shelf.begun(0)
    first = [{"optimizer": "adam", "lr": "0.5"}]
    queue.extend(2, first)
    assert queue.not_tried(first) == []
    assert queue.not_tried([*first, {"lr": "0.25"}, {"lr": "0.125"}]) == [1]


def test_the_first_points_are_those_given(shelf):
    queue = shelf.begun(0)
    queue.extend(3, [{"optimizer": "sgd", "momentum": "0.25", "lr": "0.5"}, {"lr": "0.125"}])
    drain(shelf)
    points = points_of(queue)
    assert points[0] == {"optimizer": "sgd", "momentum": "0.25", "lr": "0.5"}
    assert points[1]["lr"] == "0.125" and points[1]["optimizer"] in ("sgd", "adam")


def test_many_workers_draw_what_one_draws(shelf, undisturbed):
    queue = shelf.begun(MANY)
    for worker in [started(drain, shelf) for _ in range(4)]:
        worker.join()
        assert worker.exitcode == 0
    assert points_of(queue) == undisturbed
    seen = [json.loads(line)[0] for file in shelf.directory.glob("seen-*") for line in file.read_text().splitlines()]
    assert sorted(seen) == list(range(MANY))


def test_an_interrupted_study_draws_what_an_undisturbed_one_draws(shelf, undisturbed):
    queue = shelf.begun(MANY)
    for _ in range(3):
        drain(shelf, most=MANY // 3)
    assert points_of(queue) == undisturbed


def test_killed_workers_lose_and_double_nothing(shelf, undisturbed):
    queue = shelf.begun(MANY)
    workers = []
    while queue.ended < MANY:
        queue.recover()
        workers = [worker for worker in workers if worker.is_alive()]
        while len(workers) < 3:
            workers.append(started(drain, shelf, fatal=True))
    for worker in workers:
        worker.join()
    assert len(list(shelf.directory.glob("died-*"))) == MANY // 3
    assert points_of(queue) == undisturbed
    assert queue.trials(TrialState.RUNNING) == []


def test_a_trial_of_a_dead_worker_goes_back_with_its_point(shelf):
    queue = shelf.begun(1)

    def claim_and_die():
        claim = shelf.joined().claim("random", {}, 0, NEVER)
        claim.trial.report(0.5, 3)
        os.kill(os.getpid(), signal.SIGKILL)

    started(claim_and_die).join()
    (before,) = queue.trials(TrialState.RUNNING)
    assert queue.recover() == [0]
    claim = queue.claim("random", {}, 0, NEVER)
    assert claim.number == 0
    assert claim.trial.params == before.params
    assert queue.trials()[0].intermediate_values == {3: 0.5}


def test_a_trial_of_a_living_worker_stays(shelf):
    queue = shelf.begun(1)
    queue.claim("random", {}, 0, NEVER)
    assert queue.recover() == []


def test_a_trial_of_another_machine_is_gone_with_its_leader(shelf):
    """Who recovers holds the study's directory, from which that machine's owner.json has kept everybody out."""
    queue = shelf.begun(2)
    theirs, ours = (queue.claim("random", {}, 0, NEVER) for _ in range(2))
    for claim, host in ((theirs, "elsewhere"), (ours, ownership.this_process().host)):
        owner = {**asdict(ownership.this_process()), "host": host}
        claim.trial.set_user_attr(OWNER, {**claim.trial.user_attrs[OWNER], **owner})
        (shelf.directory / str(claim.number)).mkdir()
        (shelf.directory / str(claim.number) / "owner.json").write_text(json.dumps(owner))
    assert queue.recover() == [0]
    assert [(shelf.directory / name / "owner.json").exists() for name in ("0", "1")] == [False, True]


def test_a_trial_that_ends_with_its_worker_between_two_looks_stays_ended(shelf):
    shelf.begun(1)
    claimed, may_end = PROCESSES.Event(), PROCESSES.Event()

    def claim_and_end():
        queue = shelf.joined()
        claim = queue.claim("random", {}, 0, NEVER)
        claimed.set()
        may_end.wait()
        queue.finish(claim, TrialState.COMPLETE, [1.0])

    class Late(Queue):
        """The worker ends after the first look at the trials and before the look for its process."""

        def trials(self, *states):
            found = super().trials(*states)
            may_end.set()
            worker.join()
            return found

    queue = shelf.joined(Late)
    worker = started(claim_and_end)
    claimed.wait()
    assert queue.recover() == []
    (trial,) = queue.trials()
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 1.0)


def test_a_trial_that_ends_its_process_too_often_is_failed(shelf):
    queue = shelf.begun(1)
    for time in range(MOST_CRASHES):
        claim = queue.claim("random", {}, 0, NEVER)
        assert queue.crashed(claim.number, "SIGSEGV") is (time == MOST_CRASHES - 1)
    (trial,) = queue.trials()
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["cause"] == "its process ended 3 times: SIGSEGV"


def test_a_trial_that_is_killed_at_the_same_place_too_often_is_failed(shelf):
    queue = shelf.begun(1)
    for kill in range(MOST_KILLS):
        claim = queue.claim("random", {}, 0, NEVER)
        assert queue.killed(claim.number, "checkpoints:7") is (kill == MOST_KILLS - 1)
    (trial,) = queue.trials()
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs["cause"].startswith("its process was killed 8 times before it got any further")


def test_a_trial_that_gets_further_between_kills_goes_on(shelf):
    queue = shelf.begun(1)
    for kill in range(3 * MOST_KILLS):
        claim = queue.claim("random", {}, 0, NEVER)
        assert not queue.killed(claim.number, f"checkpoints:{kill // (MOST_KILLS - 1)}")
    assert queue.trials()[0].state == TrialState.WAITING


def test_a_second_answer_changes_nothing(shelf):
    queue = shelf.begun(1)
    claim = queue.claim("random", {}, 0, NEVER)
    queue.finish(claim, TrialState.COMPLETE, [0.5])
    queue.finish(claim, TrialState.FAIL, cause="")
    assert (queue.trials()[0].state, queue.trials()[0].value) == (TrialState.COMPLETE, 0.5)


def test_a_pruned_trial_has_the_last_value_that_it_reported(shelf):
    queue = shelf.begun(1)
    claim = queue.claim("random", {}, 0, NEVER)
    claim.trial.report(0.25, 4)
    queue.finish(claim, TrialState.PRUNED)
    assert (queue.trials()[0].state, queue.trials()[0].value) == (TrialState.PRUNED, 0.25)


def test_a_stopped_study_hands_out_nothing_until_it_goes_on(shelf):
    queue = shelf.begun(2)
    queue.stop("enough")
    assert queue.claim("random", {}, 0, NEVER) is None
    queue.begin_sitting({})
    assert queue.claim("random", {}, 0, NEVER).number == 0


def test_many_that_create_it_at_once_share_one_study(shelf):
    for process in [started(shelf.begun, 3) for _ in range(8)]:
        process.join()
        assert process.exitcode == 0
    assert [trial.number for trial in shelf.joined().trials()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("journal", "journal"),
        ("sqlite", "sqlite"),
        ("postgresql://me:hidden@host:1/db", "postgresql://host:1/db"),
        ("postgresql+psycopg://me:hi%40dden@host/db", "postgresql://host/db"),
        ("postgresql://host/db?password=hidden&sslmode=require", "postgresql://host/db?sslmode=require"),
        ("postgresql://me:hidden@host:port/db", "postgresql://***@host:port/db"),
    ],
)
def test_an_address_is_shown_without_what_lets_others_in(address, said):
    assert _storages.shown(address) == said


def test_a_study_stays_where_it_was_begun():
    _storages.refuse_another({}, "journal", "mine")
    _storages.refuse_another({"storage": "postgresql://host/db"}, "postgresql://other:key@host/db", "mine")
    with pytest.raises(UsageError, match="storage: got sqlite, allowed journal: study mine lies there; study=…"):
        _storages.refuse_another({"storage": "journal"}, "sqlite", "mine")


@pytest.mark.parametrize("driver", ["pg7000", "drizzle"])
def test_a_driver_that_is_not_there_is_one_line(driver):
    line = "storage: got postgresql://host/db, allowed with a driver: install psycopg or psycopg2 or pg8000"
    with pytest.raises(EnvironmentFault) as refusal:
        _storages.refuse_away(f"postgresql+{driver}://me:hidden@host/db")
    assert str(refusal.value) == line


@pytest.mark.parametrize("storage", ["journal", "sqlite", "postgresql://host/db"])
def test_an_import_that_fails_is_no_fault_of_the_storage(storage):
    with pytest.raises(ModuleNotFoundError), _storages.answering(storage):
        import no_such_module_of_a_model  # noqa: F401


def test_a_study_lies_in_its_directory_whatever_that_is_called(tmp_path):
    directory = tmp_path / "50% off? {or} #1"
    directory.mkdir()
    Shelf(directory, "sqlite").begun(1)
    assert len(Shelf(directory, "sqlite").joined().trials()) == 1
    assert (directory / "study.db").stat().st_size > 0
    assert list(tmp_path.iterdir()) == [directory]


if postgres.is_here():

    def test_a_server_that_is_away_is_one_line_without_its_password(tmp_path):
        with pytest.raises(EnvironmentFault) as refusal:
            _storages.refuse_away(f"postgresql://me:hidden@/db?host={tmp_path}")
        said = str(refusal.value)
        assert said.startswith("storage: postgresql:///db?host=%2Ftmp%2F") and " is away: " in said
        assert "hidden" not in said and len(said) <= 200 and "\n" not in said
