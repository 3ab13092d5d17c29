"""What a study's trials were made from: other code is counted and named, other data is refused."""

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from descent.errors import UsageError
from descent.trials import Origin
from hydra_plugins.descent_sweeper._origins import kept, mark_of, notes, refuse_other_data

OLD = {"engine.py": "1", "mlp.py": "1", "gone.py": "1"}
NOW = {"engine.py": "2", "mlp.py": "1", "come.py": "1"}
CODES = {"old": OLD, "now": NOW}


def made(number, code, state=TrialState.FAIL) -> FrozenTrial:
    trial = create_trial(state=state, user_attrs={"owner": {"code": code}} if code else {})
    trial.number = number
    return trial


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ({0: "now", 1: "now"}, []),
        ({0: None}, []),  # of a study that was begun before this was kept
        ({0: "old"}, ["note: 1 trial was made with other code (come.py, engine.py, gone.py): #0"]),
        (
            {0: "old", 1: "old", 2: "now", 3: "old", 4: "old", 5: "old"},
            ["note: 5 trials were made with other code (come.py, engine.py, gone.py): #0-1,3-5"],
        ),
    ],
)
def test_trials_of_other_code_are_counted_and_named(codes, said):
    assert notes([made(number, code) for number, code in codes.items()], CODES, "now") == said


def test_a_trial_that_has_not_ended_is_made_with_what_ends_it():
    assert notes([made(0, "old", TrialState.WAITING)], CODES, "now") == []


def test_a_note_is_one_line_however_much_differs():
    codes = {"old": {f"a_rather_long_name_{number}.py": "1" for number in range(50)}, "now": {}}
    (line,) = notes([made(number, "old") for number in range(0, 200, 2)], codes, "now")
    assert len(line) <= 200 and "100 trials" in line and "#0,2,4" in line


def test_all_codes_of_a_study_are_kept():
    first = kept({}, Origin(OLD, "d"))
    assert set(kept(first, Origin(NOW, "d"))["codes"]) == {mark_of(OLD), mark_of(NOW)}


def test_other_data_is_refused_with_the_difference():
    refuse_other_data({}, "a" * 64, "mine")
    refuse_other_data({"data": "a" * 64}, "a" * 64, "mine")
    with pytest.raises(UsageError, match=r"mine, which has other data: digest a{12} → b{12}; choose another name"):
        refuse_other_data({"data": "a" * 64}, "b" * 64, "mine")
