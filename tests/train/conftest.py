import numpy as np
import pytest

from minise.data import Dataset, Split


@pytest.fixture
def stripes():
    """Images of 8×8 whose class is where the bright row is: learned in seconds."""
    rng = np.random.default_rng(0)

    def split(count):
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 1, 8, 8), dtype=np.uint8)
        images[np.arange(count), 0, 2 * labels + 1] += 180
        return Split(images, labels)

    return Dataset("stripes", split(120), split(60))
