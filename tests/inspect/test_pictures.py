import numpy as np
import pytest

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
    first, second = panels(inspect.draw_by_class(found))
    assert [axes.get_title() for axes in (first, second)] == ["block0", "block1"]
    *curves, everything = second.get_lines()
    for k, curve in enumerate(curves):
        np.testing.assert_array_equal(curve.get_ydata(), found["block1"].mean[k])
    np.testing.assert_allclose(everything.get_ydata(), found["block1"].mean.mean(axis=0))


def test_two_classes_have_a_band_of_one_deviation():
    found = blocks(1)
    (axes,) = panels(inspect.draw_two_classes(found, 2, 0))
    for curve, band, k in zip(axes.get_lines(), axes.collections, (2, 0), strict=True):
        mean, deviation = found["block0"].mean[k], found["block0"].deviation[k]
        np.testing.assert_array_equal(curve.get_ydata(), mean)
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx((mean - deviation).min())
        assert heights.max() == pytest.approx((mean + deviation).max())


def test_of_many_blocks_and_channels_an_even_choice_is_drawn():
    figure = inspect.draw_by_class(blocks(30, channels=200))
    shown = panels(figure)
    assert len(shown) == 9
    assert [shown[0].get_title(), shown[-1].get_title()] == ["block0", "block29"]
    channels = shown[0].get_lines()[0].get_xdata()
    assert (len(channels), channels[0], channels[-1]) == (50, 0, 199)


@pytest.mark.parametrize("colours", [1, 3])
def test_maps_are_those_of_the_widest_and_least_open_gates(colours):
    rng = np.random.default_rng(0)
    before = rng.standard_normal((1, 12, 5, 4))
    s = np.linspace(1, 0.01, 12)[None]
    seen = inspect.Excitation(before, before.mean(axis=(2, 3)), s)
    image = rng.integers(0, 256, (colours, 9, 9), np.uint8)
    figure = inspect.draw_maps(image, {"se": seen}, "an image")
    titles = [axes.get_title() for axes in figure.axes]
    assert [t for t in titles if t.startswith("channel")] == [
        f"channel {c}" for c in (0, 1, 2, 3, 8, 9, 10, 11)
    ]
    pixels = {axes.get_title(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    np.testing.assert_array_equal(pixels["channel 11"], before[0, 11])
    np.testing.assert_array_equal(pixels["× 0.01"], 0.01 * before[0, 11])
    assert png(figure).startswith(b"\x89PNG")
