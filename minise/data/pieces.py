"""Connected components of a picture, found from runs of pixels in a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Piece:
    """Pixels that touch one another, if only at a corner."""

    rows: npt.NDArray[np.int64]  # of each pixel, from the top
    columns: npt.NDArray[np.int64]
    top: int
    bottom: int  # the row after the last
    left: int
    right: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    def gap(self, other: Piece) -> int:
        """Pixels between the frames of two pieces, at most 0 where these meet."""
        return max(
            self.left - other.right, other.left - self.right,
            self.top - other.bottom, other.top - self.bottom,
        )  # fmt: skip


def pieces_of(mask: Mask, least: float) -> list[Piece]:
    """The pieces of a mask (H, W) that are `least` pixels high or wide, from the top."""
    stride = mask.shape[1] + 2
    flat = np.pad(mask, ((0, 0), (1, 1))).reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]  # of each run; never across two rows
    if not len(starts):
        return []
    piece = _joined(starts, ends, stride)
    top, bottom = starts // stride, starts // stride + 1
    left, right = starts % stride - 1, ends % stride - 1
    found = []
    order = np.argsort(piece, kind="stable")
    for of in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        frame = top[of[0]], bottom[of[-1]], left[of].min(), right[of].max()
        if max(frame[1] - frame[0], frame[3] - frame[2]) < least:
            continue
        pixels = np.concatenate([np.arange(starts[i], ends[i]) for i in of])
        found.append(Piece(pixels // stride, pixels % stride - 1, *map(int, frame)))
    return found


def _joined(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], stride: int
) -> npt.NDArray[np.int64]:
    """For each run the first one of its piece."""
    # the runs in the next row that touch a run are neighbours in the list, `first` to `last`
    first = np.searchsorted(ends, starts + stride)
    last = np.searchsorted(starts, ends + stride, side="right")
    count = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), count)
    lower = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    piece = np.arange(len(starts))
    while True:
        lowest = piece.copy()
        np.minimum.at(lowest, upper, piece[lower])
        np.minimum.at(lowest, lower, piece[upper])
        lowest = lowest[lowest]
        if (lowest == piece).all():
            return piece
        piece = lowest
