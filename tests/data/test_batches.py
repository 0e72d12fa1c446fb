from itertools import permutations

import numpy as np
import pytest
from laws import assert_equally_often

from minise import InputError
from minise.data import Batches, Split, pixel_statistics, shift_and_rotate, to_input


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (10, 2, 4, 5), dtype=np.uint8), np.arange(10))


TWO = np.array([[[[0, 255, 51]]], [[[204, 0, 0]]]], np.uint8)  # in 255ths: 0, 1, 1/5; 4/5, 0, 0


def test_mean_and_deviation_are_those_of_all_pixels_on_the_scale_0_to_1():
    mean, std = pixel_statistics(TWO)
    assert mean == pytest.approx(1 / 3)
    assert std == pytest.approx(((1 + 1 / 25 + 16 / 25) / 6 - 1 / 9) ** 0.5)
    assert (type(mean), type(std)) == (float, float)
    mixed = np.repeat(TWO, 3, axis=0)[::3].transpose(0, 1, 3, 2)
    assert not mixed.flags.c_contiguous
    assert pixel_statistics(mixed) == (mean, std)


def test_an_input_is_the_pixels_less_the_mean_over_the_deviation():
    x = to_input(TWO, 0.2, 0.4, np.float64)
    np.testing.assert_allclose(x, [[[[-0.5, 2, 0]]], [[[1.5, -0.5, -0.5]]]], atol=1e-15)
    assert x.dtype == np.float64


def test_an_input_is_in_batch_last_memory(split):
    mean, std = pixel_statistics(split.images)
    x = to_input(split.images, mean, std)
    assert x.shape == (10, 2, 4, 5)
    assert x.dtype == np.float32
    assert np.moveaxis(x, 0, -1).flags.c_contiguous
    np.testing.assert_allclose(x, (split.images / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    assert abs(x.mean()) < 1e-6
    assert abs(x.std() - 1) < 1e-6


def test_images_of_one_grey_become_zeros_and_not_nan():
    images = np.full((2, 1, 3, 3), 7, np.uint8)
    assert not to_input(images, *pixel_statistics(images)).any()
    assert not to_input(images, 7 / 255, 0).any()


@pytest.mark.effect("data.Batches(mean)", "data.Batches(std)", "data.Batches(dtype)")
def test_every_image_comes_once_with_its_own_label(split):
    rng = np.random.default_rng(0)
    batches = Batches(split, 4, mean=0.2, std=0.4, rng=rng, dtype=np.float64)
    seen = []
    for x, labels in batches:
        np.testing.assert_allclose(x, (split.images[labels] / 255 - 0.2) / 0.4, atol=1e-12)
        assert x.dtype == np.float64
        assert labels.dtype == np.int64
        seen += labels.tolist()
    assert sorted(seen) == list(range(10))
    assert seen != sorted(seen)


@pytest.mark.effect("data.Batches(rng)")
def test_each_order_is_as_likely_as_any_other_whatever_the_one_before():
    split = Split(np.zeros((4, 1, 1, 1), np.uint8), np.arange(4))
    batches = Batches(split, 4, mean=0, std=1, rng=np.random.default_rng(0))
    number = {order: k for k, order in enumerate(permutations(range(4)))}  # 24
    orders = np.array([labels for _ in range(2400) for _, labels in batches])
    of_the_last = np.take_along_axis(np.argsort(orders[:-1]), orders[1:], axis=1)
    for drawn in (orders, of_the_last):
        assert_equally_often(np.bincount([number[tuple(o)] for o in drawn], minlength=24))


@pytest.mark.effect("data.Batches(split)", "data.Batches(batch_size)")
@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(10, 4, [4, 2]), (9, 4, [4, 1]), (8, 4, [4]), (4, 4, [4]), (3, 4, [3]), (3, 1, [1])],
)
def test_the_last_batch_may_be_smaller_and_without_a_generator_the_order_stays(
    split, count, batch_size, sizes
):
    batches = Batches(Split(*(of[:count] for of in split)), batch_size, mean=0, std=1 / 255)
    assert batches.sizes() == sizes
    done = list(batches)
    assert len(batches) == len(done)
    assert [len(x) for x, _ in done] == (count // batch_size) * [batch_size] + [
        count % batch_size
    ] * (count % batch_size > 0)
    np.testing.assert_allclose(np.concatenate([x for x, _ in done]), split.images[:count], 1e-6)
    assert [k for _, labels in done for k in labels] == list(range(count))


@pytest.mark.parametrize(("start", "left"), [(0, [9, 7, 5, 3, 1, 8]), (1, [5, 3, 1, 8]), (3, [])])
def test_a_pass_goes_on_after_the_batches_that_are_done(split, start, left):
    order = np.array([9, 7, 5, 3, 1, 8, 0, 2, 4, 6])
    few = Split(*(of[order[:6]] for of in split))  # their labels are their places in `split`
    batches = Batches(few, 2, mean=0, std=1 / 255)
    done = list(batches.of(np.arange(6), start))
    assert [k for _, labels in done for k in labels] == left
    for x, labels in done:
        np.testing.assert_allclose(x, split.images[labels], 1e-6)


@pytest.mark.effect("data.Batches(augment)")
def test_a_batch_is_what_augment_makes_of_it_with_the_generator_of_the_order(split):
    rng, given = np.random.default_rng(0), []

    def augment(images, rng):
        given.append((images.dtype, rng))
        return np.roll(images, 1, axis=3)

    batches = Batches(split, 4, mean=0, std=1 / 255, rng=rng, augment=augment)
    for x, labels in batches:
        np.testing.assert_allclose(x, np.roll(split.images[labels], 1, axis=3), 1e-6)
    assert given == 3 * [(np.uint8, rng)]


def test_the_same_seed_gives_the_same_bits(split):
    def epoch(seed):
        rng = np.random.default_rng(seed)
        batches = Batches(split, 3, mean=0.1, std=0.3, rng=rng, augment=shift_and_rotate)
        return np.concatenate([x for x, _ in batches])

    assert np.array_equal(epoch(1), epoch(1))
    assert not np.array_equal(epoch(1), epoch(2))


def test_bad_options_are_refused(split):
    with pytest.raises(InputError, match="batch size 0, expected at least 1"):
        Batches(split, 0, mean=0, std=1)
    with pytest.raises(InputError, match="needs an rng"):
        Batches(split, 1, mean=0, std=1, augment=shift_and_rotate)
