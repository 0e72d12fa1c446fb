"""What `shift_and_rotate` does, measured on two dots: how far they moved, and how they turned."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from laws import assert_drawn, assert_independent
from PIL import Image
from scipy import stats

from minise import backend
from minise.data import Batches, Split, shift_and_rotate

H, W, APART = 20, 36, 18
ERRORS = 0.02, 0.02, 0.1  # of what is measured: pixels are whole numbers


@pytest.fixture
def dots():
    """Two soft dots to the left and the right of the middle, (1, H, W)."""
    y, x = np.mgrid[:H, :W] - np.array([H - 1, W - 1]).reshape(2, 1, 1) / 2
    dots = (np.exp(-((abs(x) - APART / 2) ** 2 + y**2) / 3) * 250).round()
    return dots[None].astype(np.uint8)


def measured(images):
    """Pixels down and to the right, and degrees, for each image (N, C, H, W) of dots."""
    half = images.sum(axis=1).reshape(-1, H, 2, W // 2).transpose(2, 0, 1, 3).astype(float)
    mass = half.sum(axis=(2, 3))
    rows = (half.sum(axis=3) * np.arange(H)).sum(axis=2) / mass  # of each dot
    columns = (half.sum(axis=2) * np.arange(W // 2)).sum(axis=2) / mass
    columns[1] += W / 2
    down, right = rows[1] - rows[0], columns[1] - columns[0]
    np.testing.assert_allclose(np.hypot(down, right), APART, atol=0.1)  # nothing is stretched
    shifts = rows.mean(axis=0) - (H - 1) / 2, columns.mean(axis=0) - (W - 1) / 2
    return (*shifts, np.degrees(np.arctan2(down, right)))


def assert_uniform(drawn, most):
    """Each of what was measured, up to its largest in both directions."""
    for values, largest, error in zip(drawn, most, ERRORS, strict=True):
        if largest:
            assert_drawn(values, stats.uniform(-largest - error, 2 * (largest + error)))
        else:
            np.testing.assert_allclose(values, 0, atol=error)


@pytest.mark.effect("data.Batches(augment)", "data.Batches(rng)")
def test_shifts_and_angles_are_uniform_and_independent_over_all_batches(dots):
    split = Split(np.broadcast_to(dots, (30, *dots.shape)), np.arange(30))
    rng = np.random.default_rng(0)
    batches = Batches(split, 10, mean=0, std=1 / 255, rng=rng, augment=shift_and_rotate)
    drawn = measured(np.concatenate([x for _ in range(50) for x, _ in batches]))
    assert_uniform(drawn, (2, 2, 10))
    for values in drawn:
        for later in (1, 10, 30):  # the next image, the same place in the next batch, or pass
            assert_independent(values[:-later], values[later:])
    for a, b in combinations(drawn, 2):
        assert_independent(a, b)


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"max_shift": 3, "max_angle": 0}, (3, 3, 0)),
        ({"max_shift": 0.5}, (0.5, 0.5, 10)),
        ({"max_shift": 0, "max_angle": 25}, (0, 0, 25)),
        ({"max_angle": 3}, (2, 2, 3)),
    ],
)
def test_the_ranges_are_those_asked_for(dots, options, most):
    images = np.broadcast_to(dots, (300, *dots.shape))
    assert_uniform(measured(shift_and_rotate(images, np.random.default_rng(1), **options)), most)


class Highest:
    """A generator that draws the upper bound."""

    @staticmethod
    def uniform(low, high, size):
        return np.full(size, high, float)


def test_pixels_between_are_the_mean_of_their_neighbours_and_black_comes_in():
    image = np.zeros((1, 1, 4, 6), np.uint8)
    image[0, 0, 1, 2], image[0, 0, 3, 5] = 200, 100
    half = shift_and_rotate(image, Highest, max_shift=0.5, max_angle=0)[0, 0]
    expected = np.zeros((4, 6), int)
    expected[1:3, 2:4] = 50  # 200 over the four pixels around its place
    expected[3, 5] = 25  # the rest of 100 went out
    np.testing.assert_allclose(half[:, 1:], expected[:, 1:], atol=1)
    np.testing.assert_array_equal(half[0], 0)
    whole = shift_and_rotate(255 - image, Highest, max_shift=1, max_angle=0)[0, 0]
    np.testing.assert_array_equal(whole[1:, 1:], 255 - image[0, 0, :-1, :-1])
    assert not whole[0].any()
    assert not whole[:, 0].any()


def test_a_picture_is_turned_around_its_middle():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 4, 7), np.uint8)
    turned = shift_and_rotate(image, Highest, max_shift=0, max_angle=180)
    np.testing.assert_array_equal(turned, image[..., ::-1, ::-1])


def test_all_channels_move_alike_and_the_images_given_stay(dots):
    images = np.broadcast_to(dots, (9, 3, H, W))
    moved = shift_and_rotate(images, np.random.default_rng(0))
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved, moved[:, :1].repeat(3, axis=1))
    own = images.copy()
    assert not np.array_equal(shift_and_rotate(own, np.random.default_rng(0)), own)
    np.testing.assert_array_equal(own, images)


LAYOUTS = (
    np.ascontiguousarray,
    lambda images: np.moveaxis(np.moveaxis(images, 0, -1).copy(), -1, 0),  # the batch last
    lambda images: images[:, :, ::-1, ::-1],
    lambda images: images[:, :1].repeat(2, axis=0)[::2],
)


class Given:
    """A generator that "draws" these, in turn."""

    def __init__(self, *drawn):
        self.drawn = list(drawn)

    def uniform(self, low, high, size):
        return np.broadcast_to(self.drawn.pop(0), size)


def by_pillow(images, shift, angle):
    turned = (
        Image.fromarray(channel).rotate(angle, Image.Resampling.BILINEAR, translate=shift)
        for channel in images.reshape(-1, *images.shape[2:])
    )
    return np.array([np.asarray(channel) for channel in turned], np.uint8).reshape(images.shape)


@given(
    size=st.tuples(*(st.integers(1, most) for most in (4, 3, 40, 40))),
    shift=st.tuples(*[st.floats(-50, 50) | st.integers(-20, 20).map(lambda n: n / 4)] * 2),
    angle=st.floats(-400, 400) | st.sampled_from([0, 45, 90, -180, 270]),
    layout=st.sampled_from(LAYOUTS),
)
@example((1, 1, 1, 1), (0.5, -0.5), 45, LAYOUTS[0])
def test_each_grey_is_pillows_and_the_kernel_gives_the_bits_of_the_specification(
    size, shift, angle, layout
):
    images = layout(np.random.default_rng(0).integers(0, 256, size, np.uint8))
    images.flags.writeable = False  # as those of a file mapped into memory
    changed = {}
    for name in ("numpy", "numba"):
        with backend.using(name):
            changed[name] = shift_and_rotate(images, Given(shift, angle))
            assert changed[name].dtype == np.uint8
    np.testing.assert_array_equal(changed["numba"], changed["numpy"])
    expected = by_pillow(np.ascontiguousarray(images), shift, angle)
    np.testing.assert_allclose(changed["numpy"].astype(int), expected, atol=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int32])
@pytest.mark.parametrize("shape", [(0, 1, 28, 28), (3, 0, 4, 4), (2, 3, 0, 5), (7, 2, 9, 4)])
def test_without_a_shift_and_an_angle_images_stay_as_they_are(shape, dtype):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    for name in ("numpy", "numba"):
        with backend.using(name):
            same = shift_and_rotate(images, np.random.default_rng(0), max_shift=0, max_angle=0)
        assert same.dtype == dtype
        np.testing.assert_array_equal(same, images)
