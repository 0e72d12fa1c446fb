import numpy as np
import pytest
from matplotlib.colors import to_hex

from minise import inspect
from minise.figures import png


def blocks(count, channels=4):
    rng = np.random.default_rng(0)
    return {
        f"block{k}": inspect.by_class(rng.random((12, channels)), np.arange(12) % 3)
        for k in range(count)
    }


def panels(figure):
    return [axes for axes in figure.axes if axes.has_data()]


def test_each_class_is_a_curve_of_its_mean_gates():
    found = blocks(2)
    figure = inspect.draw_by_class(found)
    assert figure.get_suptitle() == "mean gate of each channel, by class"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["0", "1", "2", "all"]
    assert figure.legends[0].get_title().get_text() == "class"
    for axes, (name, block) in zip(panels(figure), found.items(), strict=True):
        assert axes.get_title() == name
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("channel, of 4", "gate")
        assert all(tick == int(tick) for tick in axes.get_xticks())
        assert axes.get_ylim() == figure.axes[0].get_ylim()  # gates are compared between blocks
        *curves, everything = axes.get_lines()
        for k, curve in enumerate(curves):
            assert curve.get_label() == str(k)
            np.testing.assert_array_equal(curve.get_xdata(), range(4))
            np.testing.assert_array_equal(curve.get_ydata(), block.mean[k])
        assert everything.get_label() == "all"
        np.testing.assert_allclose(everything.get_ydata(), block.mean.mean(axis=0))


def test_two_classes_have_a_band_of_one_deviation():
    found = blocks(1)
    figure = inspect.draw_two_classes(found, 2, 0)
    (axes,) = panels(figure)
    assert figure.get_suptitle() == "mean gate ± its deviation within the class"
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [curve.get_label() for curve in axes.get_lines()] == ["class 2", "class 0"]
    for curve, band, k in zip(axes.get_lines(), axes.collections, (2, 0), strict=True):
        mean, deviation = found["block0"].mean[k], found["block0"].deviation[k]
        np.testing.assert_array_equal(curve.get_ydata(), mean)
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx((mean - deviation).min())
        assert heights.max() == pytest.approx((mean + deviation).max())


@pytest.mark.parametrize(
    ("count", "size"), [(1, (5.4, 3.4)), (2, (9.6, 3.4)), (4, (13.8, 6.2)), (9, (13.8, 9.0))]
)
def test_a_picture_has_room_for_its_blocks_three_in_a_row(count, size):
    figure = inspect.draw_by_class(blocks(count))
    assert figure.get_size_inches() == pytest.approx(size)
    assert len(panels(figure)) == count
    assert [axes.axison for axes in figure.axes] == [True] * count + [False] * (-count % 3) * (
        count > 2
    )


def test_of_many_blocks_and_channels_an_even_choice_is_drawn():
    figure = inspect.draw_by_class(blocks(30, channels=200))
    shown = panels(figure)
    assert len(shown) == 9
    assert [shown[0].get_title(), shown[-1].get_title()] == ["block0", "block29"]
    channels = shown[0].get_lines()[0].get_xdata()
    assert (len(channels), channels[0], channels[-1]) == (50, 0, 199)


def maps(s, colours=1):
    """The axes of the picture, by their titles, of 12 channels with the gates s."""
    before = np.random.default_rng(0).standard_normal((1, 12, 5, 4)) - 2
    seen = inspect.Excitation(before, before.mean(axis=(2, 3)), s[None])
    image = np.arange(colours * 81, dtype=np.uint8).reshape(colours, 9, 9)
    figure = inspect.draw_maps(image, {"se": seen}, "an image")
    assert figure.get_suptitle().startswith("an image. Maps before and after their gate: red above")
    return seen, image, {axes.get_title(): axes for axes in figure.axes}, figure


@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_maps_are_those_of_the_widest_and_least_open_gates(colours):
    s = np.linspace(1, 0.01, 12)
    seen, image, axes, _ = maps(s, colours)
    picture = axes["image"].images[0].get_array()
    assert not axes["image"].axison
    expected = image[0] if colours < 3 else image[:3].transpose(1, 2, 0)
    np.testing.assert_array_equal(picture, expected)
    assert [title for title in axes if title.startswith("channel")] == [
        f"channel {c}" for c in (0, 1, 2, 3, 8, 9, 10, 11)
    ]
    for c in (0, 11):
        most = np.abs(seen.before[0, c]).max()
        for title, factor in ((f"channel {c}", 1), (f"× {s[c]:.2f}", s[c])):
            (pixels,) = axes[title].images
            np.testing.assert_array_equal(pixels.get_array(), factor * seen.before[0, c])
            assert pixels.get_clim() == (-most, most)
            assert pixels.get_cmap().name == "RdBu_r"


@pytest.mark.parametrize(
    ("s", "limits"),
    [(np.linspace(0, 1, 12), (-0.03, 1.03)), (np.linspace(-0.5, 2, 12), (-0.5, 2.0))],
)
def test_what_was_squeezed_is_bars_and_gates_are_dots(s, limits):
    seen, _, axes, figure = maps(s)
    bars = axes["se: squeeze z (grey), gates s"]
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], seen.squeezed[0])
    (opened,) = (axes for axes in figure.axes if axes.get_lines())
    assert to_hex(opened.get_lines()[0].get_color()) == to_hex("tab:red")
    np.testing.assert_array_equal(opened.get_lines()[0].get_ydata(), s)
    assert opened.get_ylim() == limits


def test_the_parts_of_a_picture_of_maps_lie_side_by_side():
    *_, figure = maps(np.linspace(1, 0.01, 12))
    cells = [axes.get_subplotspec() for axes in figure.axes if not axes.get_lines()]  # no twins
    taken = [(row, column) for cell in cells for row in cell.rowspan for column in cell.colspan]
    assert sorted(taken) == [(row, column) for row in range(2) for column in range(10)]


def test_a_picture_of_maps_is_a_png_file():
    *_, figure = maps(np.linspace(1, 0.01, 12))
    assert png(figure).startswith(b"\x89PNG")
