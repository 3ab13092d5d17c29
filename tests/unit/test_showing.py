"""What evaluate.py prints of a run."""

from types import SimpleNamespace

import torch
from matplotlib.cbook import is_math_text
from matplotlib.text import Text
from rich.console import Console

from descent.evaluation.mistakes import picture
from descent.evaluation.showing import _classes, _metrics


def test_a_class_is_shown_by_its_own_name(capsys):
    """Brackets mean styles to the library that draws the table, and an end of one that none began is an error."""
    rows = [{"class": name, "f1": 0.5} for name in ("[red]", "[/b]")]
    Console().print(_classes(SimpleNamespace(classes=rows)))
    said = capsys.readouterr().out
    assert "[red]" in said
    assert "[/b]" in said


def test_a_run_is_shown_by_its_own_name(capsys):
    report = {"name": "[/b]", "run": "0" * 8, "split": "test", "samples": 3, "metrics": {}, "baselines": {}}
    Console().print(_metrics(report))
    assert "[/b] 00000000: test" in capsys.readouterr().out


def test_mistakes_of_any_class_are_drawn():
    """matplotlib would read a formula between dollars, and fail on what is none."""
    figure = picture(torch.zeros(2, 1, 4, 4), ["$x{ taken for b$", "$"], "of $a_")
    figure.canvas.draw()
    said = [text.get_text() for text in figure.findobj(Text)]
    assert any("taken for b" in text for text in said) and not any(map(is_math_text, said))
