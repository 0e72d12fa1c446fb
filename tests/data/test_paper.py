import numpy as np
import pytest
from scipy import ndimage

from minise.data.paper import closing, is_light, look_at, without_lines


def test_closing_is_scipys_where_the_edge_goes_on():
    rng = np.random.default_rng(0)
    grey = rng.uniform(0, 255, (37, 52))
    for window in (1, 3, 7, 15):
        beyond = np.pad(grey, window, mode="edge")
        expected = ndimage.grey_closing(beyond, (window, window))[window:-window, window:-window]
        np.testing.assert_array_equal(closing(grey, window), expected)


@pytest.fixture
def written():
    """A cross of strokes 12 pixels wide that lets 0.3 of the light through, (200, 240)."""
    through = np.ones((200, 240))
    through[60:140, 100:112] = through[94:106, 70:150] = 0.3
    return through


def light(kind):
    y, x = np.indices((200, 240)) / 200
    return {
        "even": np.full_like(x, 0.9),
        "falls off": 0.95 - 0.5 * x,
        "corner": 0.95 - 0.6 * np.clip(1 - np.hypot(x, y), 0, 1),
        "hard edge through the ink": np.where(x + 0.4 * y > 0.75, 0.9, 0.45),
    }[kind]


@pytest.mark.parametrize("kind", ["even", "falls off", "corner", "hard edge through the ink"])
def test_ink_is_what_the_paper_lets_not_through_whatever_the_light(written, kind):
    sheet = look_at(255 * light(kind) * written, 51)
    off = abs(sheet.ink - (1 - written))
    assert np.quantile(off, 0.98) < 0.03
    assert off[written < 1].max() < 0.4  # beside a hard edge the paper's own grey is in doubt


def test_grain_is_measured_where_there_is_no_ink(written):
    grain = np.random.default_rng(0).normal(0, 4, written.shape)
    sheet = look_at(200 * written + grain, 51)
    blank = sheet.ink[:50]
    assert abs(np.median(sheet.grain) * 200 - 4) < 0.5
    assert (blank > 5 * sheet.grain[:50]).mean() < 0.001
    assert (sheet.ink > 5 * sheet.grain)[written < 1].mean() > 0.99


@pytest.mark.parametrize("slant", [0, 0.05, -0.1])
def test_a_ruled_line_is_divided_out_and_ink_upon_it_stays(written, slant):
    y, x = np.indices(written.shape)
    on_line = (y - 20 - slant * (x - 120)) % 40 < 2
    ruled = np.where(on_line, 0.7, 1.0) * written
    clean = without_lines(ruled)
    assert abs(clean - written).mean() < 0.25 * abs(ruled - written).mean()
    assert clean[written < 1].max() < 0.45


def test_a_thick_stroke_across_the_page_is_no_line():
    through = np.ones((200, 240))
    through[90:110] = 0.3
    np.testing.assert_array_equal(without_lines(through), through)


def test_chalk_is_told_from_ink(written):
    grey = 255 * light("falls off") * written
    assert not is_light(grey, 25)
    assert is_light(255 - grey, 25)
    ring = np.full((200, 200), 220.0)
    ring[60:100, 60:100] = 60
    ring[70:90, 70:90] = 220  # the paper within a loop is no chalk
    assert not is_light(ring, 25)
