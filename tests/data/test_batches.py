import numpy as np
import pytest

from minise import InputError
from minise.data import Batches, Split, pixel_statistics, shift_and_rotate, to_input


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (10, 2, 4, 5), dtype=np.uint8), np.arange(10))


def test_pixels_are_normalised_in_batch_last_memory(split):
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


def test_every_image_comes_once_with_its_own_label(split):
    batches = Batches(split, 4, mean=0, std=1, rng=np.random.default_rng(0))
    assert len(batches) == 3
    orders = []
    for _ in range(2):
        seen = []
        for x, labels in batches:
            np.testing.assert_allclose(x, split.images[labels] / np.float32(255), rtol=1e-6)
            seen += labels.tolist()
        assert sorted(seen) == list(range(10))
        orders.append(seen)
    assert orders[0] != orders[1]


def test_without_a_generator_the_order_stays(split):
    labels = [labels.tolist() for _, labels in Batches(split, 4, mean=0, std=1)]
    assert labels == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_same_seed_gives_the_same_bits(split):
    def epoch(seed):
        rng = np.random.default_rng(seed)
        batches = Batches(split, 3, mean=0.1, std=0.3, rng=rng, augment=shift_and_rotate)
        return np.concatenate([x for x, _ in batches])

    assert np.array_equal(epoch(1), epoch(1))
    assert not np.array_equal(epoch(1), epoch(2))


def test_bad_options_are_refused(split):
    with pytest.raises(InputError, match="batch size 0"):
        Batches(split, 0, mean=0, std=1)
    with pytest.raises(InputError, match="needs an rng"):
        Batches(split, 1, mean=0, std=1, augment=shift_and_rotate)


def test_without_any_range_augmentation_changes_nothing(split):
    rng = np.random.default_rng(0)
    same = shift_and_rotate(split.images, rng, max_shift=0, max_angle=0)
    np.testing.assert_array_equal(same, split.images)


def test_augmentation_moves_the_centre_of_mass_within_its_range():
    images = np.zeros((200, 1, 28, 28), np.uint8)
    images[:, :, 12:16, 12:16] = 255
    moved = shift_and_rotate(images, np.random.default_rng(0), max_shift=3, max_angle=0)
    mass = moved[:, 0].astype(float)
    centre = (mass * np.arange(28)).sum(axis=(1, 2)) / mass.sum(axis=(1, 2)) - 13.5
    assert 2 < np.abs(centre).max() <= 3.01
    assert abs(centre.mean()) < 0.5
