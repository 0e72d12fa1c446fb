"""Fewer multiplications give what the specification gives."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config
from numpy.polynomial import polynomial

from minise import backend, ops, set_num_threads
from minise.kernels.numba import winograd
from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.stretches import sum_of_stretches
from minise.kernels.numba.taps import taps
from minise.shapes import Window

SAME = Window((3, 3), (1, 1), (1, 1))  # output as large as the input


@pytest.fixture
def for_small_ones_too(monkeypatch):
    monkeypatch.setattr(winograd, "suits", lambda *_: True)


def matrices(points, outputs=4, taps=3):
    """(Aᵀ, G, Bᵀ) of Toom and Cook: by values of polynomials at these points and at infinity.

    Rows of G are divided by what makes those of Bᵀ polynomials whose highest coefficient is 1.
    """
    size = outputs + taps - 1
    a, g, b = np.zeros((size, outputs)), np.zeros((size, taps)), np.zeros((size, size))
    for i, point in enumerate(points):
        others = polynomial.polyfromroots([p for p in points if p != point])
        a[i] = point ** np.arange(outputs)
        g[i] = point ** np.arange(taps) / polynomial.polyval(point, others)
        b[i, :-1] = others
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = polynomial.polyfromroots(points)
    return a.T, g, b


def along(function, six, count):
    """What a transform of six lanes gives, as columns."""
    lanes = np.repeat(np.asarray(six, float)[:, None], LANES, axis=1)
    to = np.empty(6 * LANES)
    getattr(function, "py_func", function)(tuple(lanes), to, 0, LANES)
    return to.reshape(6, LANES)[:count, 0]


@pytest.fixture
def without_compiler(monkeypatch):
    def store(to, k, lanes):
        to[k : k + LANES] = lanes

    monkeypatch.setattr(winograd, "store", store)


def test_matrices_are_those_of_the_points(without_compiler):
    a, g, b = matrices(winograd.POINTS)
    identity = np.eye(6)
    np.testing.assert_allclose(winograd.G, g, rtol=0, atol=1e-15)
    for matrix, transform in [(b, winograd._times_b), (a, winograd._times_a)]:
        got = np.transpose([along(transform, column, len(matrix)) for column in identity])
        np.testing.assert_allclose(got, matrix, rtol=0, atol=1e-15)


def test_they_are_a_convolution_in_one_dimension():
    a, g, b = matrices(winograd.POINTS)
    rng = np.random.default_rng(0)
    d, w = rng.standard_normal(6), rng.standard_normal(3)
    y = a @ ((g @ w) * (b @ d))
    np.testing.assert_allclose(y, np.correlate(d, w), rtol=0, atol=1e-12)


def both_ways(conv, x, w, b, dy):
    y, saved = conv(x, w, b)
    return [y, *ops.conv2d_backward(dy, saved)]


def compare(shape, padding, dtype, tolerance, seed=0):
    N, C, F, H, W = shape
    rng = np.random.default_rng(seed)
    x, w, b = (
        rng.standard_normal(size).astype(dtype) for size in [(N, C, H, W), (F, C, 3, 3), (F,)]
    )
    conv = partial(ops.conv2d, padding=padding)
    with backend.using("numpy"):
        dy = rng.standard_normal(conv(x, w, b)[0].shape).astype(dtype)
        specified = both_ways(conv, x, w, b, dy)
    with backend.using("numba"):
        fast = both_ways(conv, x, w, b, dy)
    for got, expected in zip(fast, specified, strict=True):
        assert got.dtype == expected.dtype == dtype
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.usefixtures("for_small_ones_too")
@given(
    shape=st.tuples(
        st.integers(LANES, 2 * LANES + 3),
        st.integers(2, 9),
        st.integers(2, 17),
        st.integers(1, 10),
        st.integers(1, 10),
    ),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)
def test_any_size_and_padding_agree(shape, padding, seed):
    """Of maps, and of weights: two channels fill lanes."""
    N, C, F, H, W = shape
    H, W = max(H, 3 - 2 * padding[0]), max(W, 3 - 2 * padding[1])
    compare((N, C, F, H, W), padding, "float64", 1e-12, seed)


def images(*shape):
    """Of a batch, in batch-last memory."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def weights(*shape):
    return np.random.default_rng(1).standard_normal(shape, dtype=np.float32)


LARGEST = pytest.param(
    64, 56, marks=pytest.mark.skipif(config.DISABLE_JIT, reason="without a compiler, a minute")
)


# Channels and filters, side of the maps: those of `minise bench`. More images have the same error.
@pytest.mark.parametrize(("C", "H"), [(16, 28), (32, 14), (64, 7), LARGEST])
def test_rounding_is_about_twice_that_of_the_direct_form(C, H):
    x, w = images(C, H, H, LANES), weights(C, C, 3, 3)
    table = taps(SAME, (H, H), (H, H), False)
    exact = sum_of_stretches(x.astype(float), w.astype(float), None, 1, table)
    errors = [
        y - exact
        for y in (
            winograd.conv3x3(x, w, None, (1, 1), (H, H)),
            sum_of_stretches(x, w, None, 1, table),
        )
    ]
    rms = [np.sqrt(np.mean(error**2)) for error in errors]
    largest = [np.abs(error).max() for error in errors]
    text = f"rms {rms[0] / rms[1]:.2f}, largest {largest[0] / largest[1]:.2f} of the direct form's"
    print(f"{C} channels, {H}x{H}: {text}; rms {rms[0] / np.std(exact):.1e} of the outputs'")
    assert rms[0] < 3 * rms[1], text
    assert largest[0] < 4 * largest[1], text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_seen_within_its_patches_alone(value):
    x, w = images(16, 10, 11, LANES), weights(16, 16, 3, 3)
    y = winograd.conv3x3(x, w, None, (1, 1), (10, 11))
    for h, width in [(0, 0), (3, 4), (4, 3), (9, 10), (5, 0), (7, 8)]:
        spoilt = x.copy()
        spoilt[2, h, width, 1] = value
        with np.errstate(invalid="ignore"):  # without a compiler NumPy would warn of ∞ − ∞
            got = winograd.conv3x3(spoilt, w, None, (1, 1), (10, 11))
        seen = np.zeros(y.shape, bool)
        seen[:, max(h - 1, 0) : h + 2, max(width - 1, 0) : width + 2, 1] = True
        assert not np.isfinite(got[seen]).any()
        patches = np.zeros(y.shape, bool)
        patches[:, max(h - 1, 0) // 4 * 4 : (h + 1) // 4 * 4 + 4, :, 1] = True
        patches[:, :, : max(width - 1, 0) // 4 * 4] = False
        patches[:, :, (width + 1) // 4 * 4 + 4 :] = False
        np.testing.assert_array_equal(got[~patches], y[~patches])


def test_a_weight_that_is_no_number_is_seen_by_all_of_its_filter_alone():
    x, w = images(16, 5, 6, LANES), weights(17, 16, 3, 3)
    y = winograd.conv3x3(x, w, None, (1, 1), (5, 6))
    w[16, 3, 0, 2] = np.nan  # the last, and alone in its tile
    got = winograd.conv3x3(x, w, None, (1, 1), (5, 6))
    assert np.isnan(got[16]).all()
    np.testing.assert_array_equal(got[:16], y[:16])


@pytest.mark.parametrize("N", [LANES, LANES + 3, 5 * LANES])
def test_the_number_of_threads_does_not_change_a_bit(N):
    x, w = images(19, 11, 7, N), weights(20, 19, 3, 3)
    results = []
    before = backend.get_num_threads()
    for number in (1, 2, before):
        set_num_threads(number)
        results.append(winograd.conv3x3(x, w, None, (1, 1), (11, 7)).tobytes())
    assert results[0] == results[1] == results[2]


def test_images_do_not_depend_on_their_place_in_the_batch():
    """Nor on the patches beside them in a tile."""
    x, w = images(16, 9, 9, 3 * LANES + 5), weights(16, 16, 3, 3)
    y = winograd.conv3x3(x, w, None, (1, 1), (9, 9))
    for first in (0, 7, 2 * LANES + 5):
        part = np.ascontiguousarray(x[..., first : first + LANES])
        alone = winograd.conv3x3(part, w, None, (1, 1), (9, 9))
        np.testing.assert_array_equal(alone, y[..., first : first + LANES])
