"""What happens to bytes on their way to a net, against the specification, between fences."""

import numpy as np
import pytest
from kernels.agreement import memory_is_fenced

from minise import backend, set_num_threads
from minise.data import augment
from minise.kernels.numba import images as kernels
from minise.kernels.numba import memory


def drawn(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture(params=[1, 2])
def threads(request):
    set_num_threads(request.param)


# a task looks up 64 pixels
SHAPES = [(N, 1, 8, 8) for N in (0, 1, 2, 15, 16, 17, 64, 65)]
SHAPES += [(5, *size) for size in ((1, 1, 1), (3, 0, 4), (1, 7, 9), (5, 1, 13), (2, 3, 11))]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", SHAPES)
def test_pixels_are_looked_up_in_every_place(shape):
    images, values = drawn(*shape), np.random.default_rng(1).standard_normal(256)
    kernels.placed(images, values)  # compiled before memory is fenced
    for x in (images, images[:, ::-1], np.moveaxis(np.moveaxis(images, 0, -1).copy(), -1, 0)):
        with memory_is_fenced():
            placed = kernels.placed(x, values)
        np.testing.assert_array_equal(placed, values[x])
        assert np.moveaxis(placed, 0, -1).flags.c_contiguous


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_images_are_placed_whatever_they_were(name):
    images, values = drawn(64, 1, 28, 28), np.arange(256, dtype=np.float32)
    with backend.using(name) as here:
        for x, table in ((images, values), (images.astype(int), values), (values[images], None)):
            placed = here.place(x, table)
            np.testing.assert_array_equal(placed, images)
            assert placed.dtype == np.float32
            assert np.moveaxis(placed, 0, -1).flags.c_contiguous
        with pytest.raises(IndexError):
            here.place(np.full((1, 1, 2, 2), 256), values)


def test_an_input_begins_with_a_cache_line():
    for N in (64, 100):
        x = kernels.placed(drawn(N, 1, 28, 28), np.arange(256, dtype=np.float32))
        assert x.__array_interface__["data"][0] % memory.CACHE_LINE == 0


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (1, 1, 1, 1), (9, 2, 5, 3), (65, 1, 28, 28)])
def test_moved_images_have_the_bits_of_the_specification(shape):
    rng, N = np.random.default_rng(2), shape[0]
    images, turns = drawn(*shape), rng.uniform(-2, 2, N)
    motions = np.stack([np.cos(turns), np.sin(turns), *rng.uniform(-30, 30, (2, N))], axis=1)
    kernels.moved(images, motions)
    with memory_is_fenced():
        moved = kernels.moved(images, motions)
    np.testing.assert_array_equal(moved, augment.moved(images, motions))


def test_a_sum_that_falls_on_a_whole_grey_is_rounded_as_by_the_specification():
    images = drawn(200, 1, 28, 28)
    shifts = np.random.default_rng(3).integers(-30, 30, (2, 200)) / 15
    motions = np.stack([np.ones(200), np.zeros(200), *shifts], axis=1)
    moved = kernels.moved(images, motions)
    np.testing.assert_array_equal(moved, augment.moved(images, motions))
