"""The picture of a confusion matrix says what the matrix says."""

import numpy as np
import pytest
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from descent.tracking.confusion import READABLE, confusion_picture


def picture(classes, name="class {}"):
    counts = np.arange(classes**2).reshape(classes, classes)
    return counts, confusion_picture(counts, [name.format(one) for one in range(classes)], "one")


@pytest.mark.parametrize("classes", [1, 2, 10, READABLE])
def test_few_classes_have_numbers_and_names(classes):
    counts, figure = picture(classes)
    axes = figure.axes[0]
    shown = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert shown == {place: str(count) for place, count in np.ndenumerate(counts) if count}
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [f"class {one}" for one in range(classes)]


def test_many_classes_are_heat_alone():
    _, figure = picture(READABLE + 1)
    assert not figure.axes[0].texts


def test_the_shade_is_the_share_of_the_true_class_and_an_absent_one_has_none():
    figure = confusion_picture(np.array([[3, 1], [0, 0]]), ["a", "b"], "t")
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("predicted", "true")


def test_a_long_name_is_cut():
    _, figure = picture(3, name="a name that goes on and on {}")
    assert all(len(label.get_text()) == 14 for label in figure.axes[0].get_xticklabels())


@pytest.mark.parametrize("name", ["$x$", "$5 or {", "\\$a_", "<b>$</b>$"])
def test_a_name_is_no_formula(name):
    figure = confusion_picture(np.eye(2), [name, "other"], f"test split of {name}")
    figure.canvas.draw()
    said = [text.get_text() for text in figure.findobj(Text)]
    assert any("other" in text for text in said) and not any(map(is_math_text, said))
