"""Small changes that leave a digit what it is: a net that sees them learns to look past them."""

from __future__ import annotations

import numpy as np

from minise.data.batches import Images


def shift_and_rotate(
    images: Images, rng: np.random.Generator, *, max_shift: float = 2.0, max_angle: float = 10.0
) -> Images:
    """Move each image of (N, C, H, W) by up to `max_shift` pixels, turn it by `max_angle` degrees.

    Both are drawn uniformly for each image, the same for all its channels. Pixels are interpolated
    bilinearly, and what comes in from outside is 0.
    """
    from PIL import Image

    N = len(images)
    shifts = rng.uniform(-max_shift, max_shift, (N, 2))
    angles = rng.uniform(-max_angle, max_angle, N)
    changed = np.empty_like(images)
    for n in range(N):
        for c, channel in enumerate(images[n]):
            turned = Image.fromarray(channel).rotate(
                angles[n],
                resample=Image.Resampling.BILINEAR,
                translate=(shifts[n, 0], shifts[n, 1]),
            )
            changed[n, c] = np.asarray(turned)
    return changed
