import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from minise.data.pieces import pieces_of


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_pieces_are_what_scipy_finds(mask):
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    expected = {frozenset(zip(*np.nonzero(labels == k + 1), strict=True)) for k in range(count)}
    pieces = pieces_of(mask, 0)
    assert {frozenset(zip(p.rows, p.columns, strict=True)) for p in pieces} == expected
    for p in pieces:
        assert (p.top, p.bottom) == (p.rows.min(), p.rows.max() + 1)
        assert (p.left, p.right) == (p.columns.min(), p.columns.max() + 1)
    large = [p for p in pieces if max(p.height, p.width) >= 3]
    assert [p.rows.tolist() for p in pieces_of(mask, 3)] == [p.rows.tolist() for p in large]


def test_a_spiral_is_one_piece():
    mask = np.zeros((101, 101), bool)
    row, column, length, step = 50, 50, 2, (0, 1)
    while length < 96:
        for _ in range(2):
            for _ in range(length):
                mask[row, column] = True
                row, column = row + step[0], column + step[1]
            step = step[1], -step[0]
        length += 2
    assert len(pieces_of(mask, 0)) == 1


def test_the_gap_between_frames():
    mask = np.zeros((20, 20), bool)
    mask[2:5, 2:5] = mask[10:12, 3:9] = mask[2:4, 9] = True
    a, c, b = sorted(pieces_of(mask, 0), key=lambda p: (p.top, p.left))
    assert (a.gap(b), b.gap(a), a.gap(c)) == (5, 5, 4)
    assert a.gap(a) < 0
