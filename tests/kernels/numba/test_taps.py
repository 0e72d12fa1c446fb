"""The table of taps, against a search over all places."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minise.kernels.numba.taps import NONE, listed, taps
from minise.shapes import Window, output_size


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def expand(table, width):
    """(rows, columns, taps): the pixel that every place meets, the runs written out."""
    rows, _, count = table.source.shape
    pixels = np.full((rows, int(table.runs[:, 3].sum()), count), -2)
    for run, (first, step, source_step, columns) in enumerate(table.runs):
        for k in range(columns):
            met = table.source[:, run]
            pixels[:, first + k * step] = np.where(met == NONE, NONE, met + k * source_step)
    return pixels


@given(
    size=pairs(1, 4),
    stride=pairs(1, 3),
    padding=pairs(0, 3),
    dilation=pairs(1, 3),
    room=pairs(0, 6),
)
def test_every_place_meets_each_tap_where_the_definition_says(
    size, stride, padding, dilation, room
):
    window = Window(size, stride, padding, dilation)
    H, W = (
        max(1, d * (k - 1) + 1 - 2 * p + r)
        for k, p, d, r in zip(size, padding, dilation, room, strict=True)
    )
    OH, OW = output_size(H, window, 0), output_size(W, window, 1)
    forward = np.full((OH, OW, size[0] * size[1]), NONE)
    backward = np.full((H, W, size[0] * size[1]), NONE)
    for oh, ow, i, j in np.ndindex(OH, OW, *size):
        h = oh * stride[0] - padding[0] + i * dilation[0]
        w = ow * stride[1] - padding[1] + j * dilation[1]
        if 0 <= h < H and 0 <= w < W:
            forward[oh, ow, i * size[1] + j] = h * W + w
            backward[h, w, i * size[1] + j] = oh * OW + ow
    np.testing.assert_array_equal(expand(taps(window, (H, W), (OH, OW), False), W), forward)
    np.testing.assert_array_equal(expand(taps(window, (OH, OW), (H, W), True), OW), backward)


@given(
    size=pairs(1, 4), stride=pairs(1, 3), padding=pairs(0, 3), N=st.integers(1, 3), transposed=...
)
def test_lists_name_the_taps_that_meet_something_in_their_order(
    size, stride, padding, N, transposed: bool
):
    window, source = Window(size, stride, padding), (5, 6)
    target = (output_size(5, window, 0), output_size(6, window, 1))
    if transposed:
        source, target = target, source
    pixel, runs = taps(window, source, target, transposed)
    lists = listed(window, source, target, transposed, N, 4)
    assert lists.at.shape == lists.tap.shape == (*lists.terms.shape, -(-pixel.shape[2] // 4) * 4)
    np.testing.assert_array_equal(lists.runs, runs)
    for place in np.ndindex(pixel.shape[:2]):
        met = [(tap, p * N) for tap, p in enumerate(pixel[place]) if p != NONE]
        assert lists.terms[place] == len(met)
        found = list(zip(lists.tap[place].tolist(), lists.at[place].tolist(), strict=True))
        assert found[: len(met)] == met
        assert all(tap == pixel.shape[2] and at == 0 for tap, at in found[len(met) :])
