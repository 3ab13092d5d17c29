"""MLflow's own UI in a real browser: a study's description with its picture, and its trials beside each other."""

import pytest

from reference.browser import browser
from reference.ui import PICTURE, compared, comparing, page_of, says, served


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    root = tmp_path_factory.mktemp("ui")
    study, trials = compared(root)
    with served(root) as address, browser() as chromium:
        yield chromium, address, study, trials


@pytest.mark.slow
def test_a_study_shows_question_answer_command_and_picture(ui):
    chromium, address, study, _ = ui
    asked = "Which of adam, sgd has the larger best/val/accuracy, and how sure is that?"
    command = "python src/compare.py by=optimizer study=optimizers report=true"
    chromium.visit(page_of(address, study), 1400, says(asked, "adam is better than the other.", command))
    chromium.visit(page_of(address, study), 1400, PICTURE)
    assert chromium.value(says("optimizers"))


@pytest.mark.slow
def test_the_page_opens_among_the_artifacts(ui):
    chromium, address, study, _ = ui
    file = f"{address}/get-artifact?path=comparison%2Freport.html&run_uuid={study}"
    said = f"(async () => (await (await fetch({file!r})).text()).includes('adam is better than the other'))()"
    chromium.visit(page_of(address, study), 1400, says("optimizers"))
    assert chromium.value(said)


@pytest.mark.slow
def test_trials_are_told_apart_when_they_are_compared(ui):
    chromium, address, _, trials = ui
    shown = says("mlp/adam/digits seed=0", "mlp/sgd/digits seed=4", "optimizer", "best/val/accuracy")
    chromium.visit(comparing(address, [trials[0], trials[-1]]), 1400, shown)
    assert not chromium.value(says("mlp/adam/digits seed=1"))  # these two and no other
