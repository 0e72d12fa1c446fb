"""A channel by itself: any window and batch, nothing but what meets, the same bits always."""

import itertools

import numpy as np
import pytest
from kernels.agreement import assert_agrees
from rows import ROWS
from rows.row import Call

from minise import backend, ops, set_num_threads
from minise.kernels.numba import conv, depthwise
from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.layout import TASKS

C = TASKS


def draw(*shapes, dtype=float):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def agrees(N, size, kernel=(3, 3), dtype=float, **options):
    arrays = draw((N, C, *size), (C, 1, *kernel), (C,), dtype=dtype)
    assert_agrees(ROWS["conv2d"], Call(*arrays, groups=C, **options))


@pytest.fixture(autouse=True)
def used(monkeypatch):
    """Whether each convolution came this way."""
    answers, suits = [], depthwise.suits

    def asked(w, groups):
        answers.append(suits(w, groups))
        return answers[-1]

    monkeypatch.setattr(conv.depthwise, "suits", asked)
    return answers


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "suits"),
    [
        (C, C, C, True),
        (C + 1, C + 1, C + 1, True),
        (C - 1, C - 1, C - 1, False),
        (C, 2 * C, C, False),  # two filters for a channel
        (2 * C, C, C, False),  # two channels for a filter
        (1, C, 1, False),
    ],
)
def test_groups_of_one_channel_and_one_filter(used, channels, filters, groups, suits):
    arrays = draw((LANES, channels, 2, 3), (filters, channels // groups, 3, 3))
    assert_agrees(ROWS["conv2d"], Call(*arrays, groups=groups, padding=1))
    assert used
    assert set(used) == {suits}


@pytest.mark.parametrize("dtype", [float, np.float32])
def test_batches_of_any_size(used, dtype):
    wide = depthwise.LONG * LANES
    for N in [*range(2 * LANES + 2), wide - 1, wide, wide + 1, wide + LANES, 2 * wide + 1]:
        used.clear()
        agrees(N, (3, 4), padding=1, dtype=dtype)
        assert set(used) == {True}


@pytest.mark.parametrize("kernel", [(1, 1), (1, 3), (2, 2), (3, 3), (5, 3), (4, 5)])
def test_windows_of_any_size_stride_padding_and_dilation(kernel):
    """Rows and columns of x that meet nothing among them, and as many taps as two tiles take."""
    for stride, padding, dilation in itertools.product((1, 2, (3, 1)), (0, 1, (2, 5)), (1, (2, 3))):
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        agrees(LANES + 1, (10, 13), kernel, **options)
        agrees(1, (10, 13), kernel, **options)


def test_images_of_any_size():
    for size in [(1, 1), (1, 9), (9, 1), (2, 2), (8, 8), (3, 17)]:
        agrees(LANES, size, padding=1)
        agrees(LANES, size, padding=1, stride=2)
    for N, size in itertools.product((1, 2, LANES - 1), [(1, 1), (9, 1), (8, 8), (3, 17), (7, 50)]):
        agrees(N, size, (5, 5), padding=2)
        agrees(N, size, (5, 5), padding=2, stride=2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_what_they_meet_and_no_more(value):
    x, w, b, dy = draw((LANES, C, 5, 6), (C, 1, 3, 3), (C,), (LANES, C, 5, 6), dtype=np.float32)
    x[1, 2, 0, 0] = value  # in a corner: five of the taps do not meet it
    dy[2, 4, 4, 5], w[6, 0, 1, 1] = value, value

    def results():
        y, saved = ops.conv2d(x, w, b, groups=C, padding=1)
        return y, *ops.conv2d_backward(dy, saved)

    with backend.using("numba"):
        found = results()
    met = np.isfinite(found[2])  # dw
    assert met[[0, 1, 3, 5, 6, 7]].all()
    np.testing.assert_array_equal(met[2, 0], [[0, 0, 1], [0, 0, 1], [1, 1, 1]])
    np.testing.assert_array_equal(met[4, 0], [[0, 0, 1], [0, 0, 1], [1, 1, 1]])
    assert (~np.isfinite(found[0])).sum() == 4 + LANES * 30
    assert (~np.isfinite(found[1])).sum() == 4 + LANES * 30


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize("N", [1, LANES + 3])
def test_any_number_of_threads_gives_the_same_bits(dtype, N):
    x, w, b = draw((N, C + 3, 9, 7), (C + 3, 1, 3, 3), (C + 3,), dtype=dtype)
    results = []
    before = backend.get_num_threads()
    for number in (1, 2, before):
        set_num_threads(number)
        y, saved = ops.conv2d(x, w, b, groups=C + 3, padding=1)
        results.append([y, *ops.conv2d_backward(np.cos(y), saved)])
    for others in results[1:]:
        for array, first in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(array, first)
