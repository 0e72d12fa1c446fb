"""Small changes that leave a digit what it is: a net that sees them learns to look past them."""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.backend import on_processor
from minise.data.batches import Images


def shift_and_rotate(
    images: Images, rng: np.random.Generator, *, max_shift: float = 2.0, max_angle: float = 10.0
) -> Images:
    """Move each image of (N, C, H, W) by up to `max_shift` pixels, turn it by `max_angle` degrees.

    Both are drawn uniformly for each image, the same for all its channels. Pixels are interpolated
    bilinearly, rounded down, and what comes in from outside is 0, as Pillow's
    `Image.rotate(angle, BILINEAR, translate=shift)` does it.
    """
    N, _, H, W = images.shape
    shifts = rng.uniform(-max_shift, max_shift, (N, 2))
    angles = rng.uniform(-max_angle, max_angle, (N,))
    kernel = on_processor().find("images.moved", images) if images.dtype == np.uint8 else None
    return (kernel or moved)(images, _motions(shifts, angles, H, W))


def moved(images: Array, motions: Array) -> Array:
    """Each image moved and turned; a row of `motions` (N, 4) is its cos, sin, right and down.

    The pixel (h, w) shows what was around the point (x, y), in pixels from the upper left corner:

        x =  cos·(w + ½) + sin·(h + ½) + right
        y = -sin·(w + ½) + cos·(h + ½) + down

    The centre of the first pixel is the point (½, ½).
    """
    N, _, H, W = images.shape
    cos, sin, right, down = motions.T[:, :, None, None]  # (N, 1, 1) each
    h, w = np.arange(H)[:, None] + 0.5, np.arange(W) + 0.5
    x = cos * w + sin * h + right  # (N, H, W)
    y = -sin * w + cos * h + down
    x0, x1, dx = _neighbours(x, W)
    y0, y1, dy = _neighbours(y, H)
    n, outside = np.arange(N)[:, None, None], (x < 0) | (x >= W) | (y < 0) | (y >= H)
    result = np.empty_like(images)
    for c, channel in enumerate(images.astype(float).swapaxes(0, 1)):
        above = _between(channel[n, y0, x0], channel[n, y0, x1], dx)
        below = _between(channel[n, y1, x0], channel[n, y1, x1], dx)
        result[:, c] = np.where(outside, 0, _between(above, below, dy))
    return result


def _neighbours(x: Array, size: int) -> tuple[Array, Array, Array]:
    """The pixels whose centres are before and behind x, and the share of the one behind.

    Between the edge and the first centre it is the first pixel alone, likewise at the other end.
    """
    x = x.clip(0, size) - 0.5
    low = np.floor(x).astype(int)
    return low.clip(0), (low + 1).clip(None, size - 1), x - low


def _between(a: Array, b: Array, share: Array) -> Array:
    mixed: Array = a + (b - a) * share
    return mixed


def _motions(shifts: Array, angles: Array, H: int, W: int) -> Array:
    """From where each pixel comes, if images are turned around their middle and then moved."""
    turn = np.radians(-angles)
    cos, sin = np.cos(turn).round(15), np.sin(turn).round(15)  # exact for a quarter
    x, y = -W / 2 - shifts[:, 0], -H / 2 - shifts[:, 1]
    return np.stack([cos, sin, cos * x + sin * y + W / 2, -sin * x + cos * y + H / 2], axis=1)
