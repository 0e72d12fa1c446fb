"""Pictures of runs, by the figures that are drawn, before they are files."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from minise import InputError
from minise.data import Split
from minise.runs import pictures
from minise.train import Epoch

# Tested after the first, the third and the fourth epoch; the last is not the best.
HISTORY = [
    Epoch(1, 1.25, 0.25, 1.5, 0.125, 0.1, 1.0, 1.0),
    Epoch(2, 0.75, 0.5, None, None, 0.1, 1.0, 1.0),
    Epoch(3, 0.5, 0.875, 0.625, 0.75, 0.1, 1.0, 1.0),
    Epoch(4, 0.25, 0.75, 0.875, 0.5, 0.1, 1.0, 1.0),
]
OTHER = [Epoch(1, 2.0, 0.5, 3.0, 0.0, 0.1, 1.0, 1.0), Epoch(2, 1.0, 0.5, 2.5, 0.9, 0.1, 1.0, 1.0)]
EPOCHS, TESTED = [1, 2, 3, 4], [1, 3, 4]
BLUE, ORANGE = "#1f77b4", "#ff7f0e"

# Four images are wrong: the second (sure of 0.5), the fourth (0.9), the fifth and the sixth (0.7).
LABELS = np.array([0, 1, 2, 2, 1, 1])
P = np.array(
    [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.06, 0.9, 0.04], [0.1, 0.2, 0.7],
     [0.7, 0.25, 0.05]]
)  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(pictures, "png", lambda figure: figure)


def lines(axes):
    """(label, x, y, colour) of each."""
    return [
        (line.get_label(), list(line.get_xdata()), list(line.get_ydata()), to_hex(line.get_color()))
        for line in axes.get_lines()
    ]


@pytest.mark.usefixtures("undrawn")
def test_curves_are_the_loss_and_the_error_of_training_and_test():
    loss, error = pictures.curves(HISTORY).axes
    assert lines(loss) == [
        ("training", EPOCHS, [1.25, 0.75, 0.5, 0.25], BLUE),
        ("test", TESTED, [1.5, 0.625, 0.875], ORANGE),
    ]
    assert lines(error) == [
        ("training", EPOCHS, [75, 50, 12.5, 25], BLUE),
        ("test, 50.00 % at last", TESTED, [87.5, 25, 50], ORANGE),
    ]
    assert [axes.get_ylabel() for axes in (loss, error)] == [
        "loss (cross-entropy)",
        "wrong, % of images",
    ]
    for axes in (loss, error):
        assert axes.get_xlabel() == "epoch"
        assert axes.get_xlim() == (0.5, 4.5)
        assert axes.get_ylim()[0] == 0
        assert list(axes.get_xticks()) == [0, 1, 2, 3, 4, 5]  # no half epochs
        shown = [text.get_text() for text in axes.get_legend().get_texts()]
        assert shown == [line.get_label() for line in axes.get_lines()]


@pytest.mark.usefixtures("undrawn")
def test_without_a_test_there_are_the_curves_of_the_training():
    loss, error = pictures.curves(HISTORY[1:2]).axes
    assert lines(loss) == [("training", [2], [0.75], BLUE), ("test", [], [], ORANGE)]
    assert lines(error) == [("training", [2], [50], BLUE), ("test", [], [], ORANGE)]


@pytest.mark.usefixtures("undrawn")
def test_runs_over_one_another_show_training_loss_and_test_error():
    figure = pictures.overlay({"first": HISTORY, "second": OTHER})
    loss, error = figure.axes
    assert [line[1:] for line in lines(loss)] == [
        (EPOCHS, [1.25, 0.75, 0.5, 0.25], BLUE),
        ([1, 2], [2, 1], ORANGE),
    ]
    assert [line[1:3] for line in lines(error)] == [
        (TESTED, pytest.approx([87.5, 25, 50])),
        ([1, 2], pytest.approx([100, 10])),
    ]
    assert [line[3] for line in lines(error)] == [BLUE, ORANGE]
    assert [axes.get_ylabel() for axes in (loss, error)] == [
        "training loss (cross-entropy)",
        "wrong, % of test images",
    ]
    for axes in (loss, error):
        assert axes.get_xlabel() == "epoch"
        assert axes.get_yscale() == "log"
        assert all(tick == int(tick) for tick in axes.get_xticks())
    (legend,) = figure.legends
    shown = zip(legend.get_texts(), legend.legend_handles, strict=True)
    assert [(text.get_text(), to_hex(line.get_color())) for text, line in shown] == [
        ("first", BLUE),
        ("second", ORANGE),
    ]


@pytest.mark.usefixtures("undrawn")
def test_a_group_stands_at_one_height_in_all_panels_with_runs_mean_and_interval():
    one = pictures.Dots([0.25, 0.75], 0.5, (0.125, 0.875))
    alone = pictures.Dots([0.5], 0.5, None)
    figure = pictures.dots({"a": {"x": one, "$_{$": alone}, "b": {"$_{$": one}}, "is", zero=True)
    left, right = figure.axes
    assert figure.get_supxlabel() == "is"
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["x", "$_{$"]
    assert [line[1:3] for line in lines(left)] == [
        ([12.5, 87.5], [0, 0]),
        ([25, 75], [0, 0]),
        ([50], [0]),
        ([50], [1]),
        ([50], [1]),
        ([0, 0], [0, 1]),
    ]
    assert [line[1:3] for line in lines(right)][:3] == [
        ([12.5, 87.5], [1, 1]),
        ([25, 75], [1, 1]),
        ([50], [1]),
    ]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first is at the top
    assert len(pictures.dots({"a": {"x": one}}, "is", zero=False).axes[0].get_lines()) == 3


@pytest.mark.parametrize(("panels", "groups"), [(1, 1), (1, 60), (5, 3)])
def test_few_and_many_groups_become_a_picture(panels, groups):
    dots = {f"net {n}": pictures.Dots([0.5, 0.75], 0.625, (0, 1)) for n in range(groups)}
    picture = pictures.dots({f"{n}": dots for n in range(panels)}, "is", zero=False)
    assert picture.startswith(b"\x89PNG")


def test_a_picture_of_too_many_lines_is_refused():
    dots = {f"net {n}": pictures.Dots([0.5], 0.5, None) for n in range(1001)}
    with pytest.raises(InputError, match="a picture of 1001 lines, expected at most 1000"):
        pictures.dots({"": dots}, "is", zero=False)


def images(channels):
    return np.arange(6 * channels * 12, dtype=np.uint8).reshape(6, channels, 4, 3)


def drawn(figure):
    """(title, pixels) of each image that is shown."""
    return [(a.get_title(), np.asarray(a.images[0].get_array())) for a in figure.axes if a.images]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_mistakes_are_the_wrong_images_with_answer_and_truth_the_surest_first(channels):
    pixels = images(channels)
    figure = pictures.mistakes(Split(pixels, LABELS), P, ["ant", "$_{$", "cat"].__getitem__)
    assert figure.get_suptitle() == "4 of 6 test images came out wrong"
    shown = drawn(figure)
    assert [title for title, _ in shown] == [
        "$_{$ (90 %), is cat",
        "cat (70 %), is $_{$",  # of two that are as sure, in their order
        "ant (70 %), is $_{$",
        "ant (50 %), is $_{$",
    ]
    for (_, found), n in zip(shown, (3, 4, 5, 1), strict=True):
        expected = pixels[n, 0] if channels < 3 else pixels[n, :3].transpose(1, 2, 0)
        np.testing.assert_array_equal(found, expected)
    (first, *_) = (axes.images[0] for axes in figure.axes if axes.images)
    assert (first.get_cmap().name, first.get_clim()) == ("gray_r", (0, 255))
    assert not any(axes.title.get_parse_math() for axes in figure.axes if axes.images)


@pytest.mark.usefixtures("undrawn")
def test_of_many_mistakes_the_surest_are_shown():
    figure = pictures.mistakes(Split(images(1), LABELS), P, at_most=3)
    assert figure.get_suptitle() == "4 of 6 test images came out wrong, the 3 surest shown"
    titles = [title for title, _ in drawn(figure)]
    assert titles == ["1 (90 %), is 2", "2 (70 %), is 1", "0 (70 %), is 1"]
    figure = pictures.mistakes(Split(images(1)[:1], LABELS[:1]), P[:1])
    assert figure.get_suptitle() == "0 of 1 test images came out wrong"
    assert drawn(figure) == []


def test_a_picture_is_a_png_file():
    assert pictures.mistakes(Split(images(3), LABELS), P).startswith(b"\x89PNG")
