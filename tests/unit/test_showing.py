"""What evaluate.py prints of a run."""

from types import SimpleNamespace

from rich.console import Console

from descent.evaluation.showing import _classes


def test_a_class_is_shown_by_its_own_name(capsys):
    """Brackets mean styles to the library that draws the table, and an end of one that none began is an error."""
    rows = [{"class": name, "f1": 0.5} for name in ("[red]", "[/b]")]
    Console().print(_classes(SimpleNamespace(classes=rows)))
    said = capsys.readouterr().out
    assert "[red]" in said
    assert "[/b]" in said
