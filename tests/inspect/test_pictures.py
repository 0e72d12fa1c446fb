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


def test_each_class_is_a_row_of_its_mean_gates():
    found = blocks(2)
    figure = inspect.draw_by_class(found)
    assert figure.get_suptitle() == "mean gate of each channel, by class"
    *shown, scale = panels(figure)
    assert scale.get_ylabel() == "mean gate"
    for axes, (name, block) in zip(shown, found.items(), strict=True):
        assert axes.get_title() == name
        assert axes.get_xlabel() == "4 channels, sorted by their mean gate"
        (image,) = axes.get_images()
        assert image.get_clim() == (0, 1)  # gates are compared between blocks
        order = block.mean.mean(axis=0).argsort()
        np.testing.assert_array_equal(image.get_array(), block.mean[:, order])
        assert all(tick == int(tick) for tick in axes.get_yticks())


def test_gates_beyond_0_and_1_keep_their_shades_apart():
    s = np.array([[-0.5, 0.2], [0.4, 3.0]])
    figure = inspect.draw_by_class({"tanh": inspect.by_class(s, np.array([0, 1]))})
    assert panels(figure)[0].get_images()[0].get_clim() == (-0.5, 3.0)


def test_a_class_without_images_stays_white():
    found = inspect.by_class(np.random.default_rng(0).random((4, 3)), np.array([0, 0, 2, 2]))
    (image,) = panels(inspect.draw_by_class({"se": found}))[0].get_images()
    np.testing.assert_array_equal(np.ma.getmaskarray(image.get_array()).all(axis=1), [0, 1, 0])
    assert image.to_rgba(np.ma.masked_all(1))[0, 3] == 0  # nothing is drawn there


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
    figure = inspect.draw_two_classes(blocks(count), 0, 1)
    assert figure.get_size_inches() == pytest.approx(size)
    assert len(panels(figure)) == count
    assert [axes.axison for axes in figure.axes] == [True] * count + [False] * (-count % 3) * (
        count > 2
    )
    assert inspect.draw_by_class(blocks(count)).get_size_inches() == pytest.approx(size)


def test_of_many_blocks_and_channels_an_even_choice_is_drawn():
    *shown, _ = panels(inspect.draw_by_class(blocks(30, channels=200)))
    assert len(shown) == 9
    assert [shown[0].get_title(), shown[-1].get_title()] == ["block0", "block29"]
    shown = panels(inspect.draw_two_classes(blocks(30, channels=200), 0, 1))
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
