from itertools import combinations

import numpy as np
import pytest
from laws import assert_equally_often

from minise import InputError
from minise.data import Dataset, Split, hold_out, learn_from


@pytest.fixture
def few():
    """Six images, each full of its number, to learn from, and one of 9 to test."""
    images = np.broadcast_to(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1), (6, 1, 2, 3))
    test = Split(np.full((1, 1, 2, 3), 9, np.uint8), np.array([1]))
    return Dataset("few", Split(images, np.array([0, 1, 1, 0, 0, 1])), test)


def labelled(few, *labels):
    return few._replace(train=few.train._replace(labels=np.array(labels)))


def numbers(split):
    return split.images[:, 0, 0, 0].tolist()


@pytest.mark.effect("data.hold_out(dataset)", "data.hold_out(count)")
@pytest.mark.parametrize("count", [1, 2])
def test_images_move_with_their_labels_and_those_left_keep_their_order(few, count):
    for seed in range(5):
        held = hold_out(few, count, np.random.default_rng(seed))
        assert len(held.test.labels) == count
        assert sorted(numbers(held.train) + numbers(held.test)) == [0, 1, 2, 3, 4, 5]
        assert numbers(held.train) == sorted(numbers(held.train))
        for split in held[1:3]:
            assert split.labels.tolist() == [few.train.labels[k] for k in numbers(split)]
    assert held.name == f"few, {count} held out"


@pytest.mark.effect("data.hold_out(rng)")
def test_any_images_are_as_likely_to_be_held_out_as_any_others(few):
    rng = np.random.default_rng(0)
    held = [numbers(hold_out(few, 2, rng).test) for _ in range(1500)]
    pairs = list(combinations(range(6), 2))  # 15
    assert_equally_often(np.bincount([pairs.index(tuple(sorted(two))) for two in held]))


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (5, True), (6, False)])
def test_some_are_held_out_and_some_are_left(few, count, fits):
    one_class, rng = labelled(few, 0, 0, 0, 0, 0, 0), np.random.default_rng(0)
    if fits:
        assert len(hold_out(one_class, count, rng).train.labels) == 6 - count
        return
    with pytest.raises(InputError, match=f"few: cannot hold out {count} images, expected 1 to 5$"):
        hold_out(one_class, count, rng)


def test_a_class_is_never_held_out_as_a_whole(few):
    few, refused = labelled(few, 0, 1, 2, 0, 1, 1), []
    for seed in range(20):
        try:
            assert numbers(hold_out(few, 1, np.random.default_rng(seed)).test) != [2]
        except InputError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 20
    assert set(refused) == {
        "few: all images of class 2 would be held out; fewer of them, or another seed, may leave "
        "some"
    }


@pytest.mark.parametrize("draw", [hold_out, learn_from])
@pytest.mark.parametrize(
    ("labels", "got"), [([-1, 0, 1], "int64, -1 to 1"), ([0.0, 0.5, 1.0], "float64, 0.0 to 1.0")]
)
def test_labels_that_are_no_classes_are_refused(few, draw, labels, got):
    wrong = few._replace(train=Split(few.train.images[: len(labels)], np.array(labels)))
    with pytest.raises(InputError, match=f"^labels: got {got}, expected whole numbers from 0$"):
        draw(wrong, 1, np.random.default_rng(0))


@pytest.mark.effect("data.learn_from(dataset)", "data.learn_from(count)")
@pytest.mark.parametrize("count", [3, 5, 6])
def test_some_images_are_kept_with_their_labels_and_in_their_order(few, count):
    fits = 0
    for seed in range(10):
        try:
            kept = learn_from(few, count, np.random.default_rng(seed))
        except InputError:  # of three images all may be of one class
            continue
        fits += 1
        assert len(kept.train.labels) == count
        assert numbers(kept.train) == sorted(set(numbers(kept.train)))
        assert kept.train.labels.tolist() == [few.train.labels[k] for k in numbers(kept.train)]
        assert kept.test is few.test
        assert kept.name == f"few, {count} to learn from"
        assert kept.summary.startswith(f"{count} training and 1 test images of 2×3, 2 classes")
    assert fits > 5


@pytest.mark.effect("data.learn_from(rng)")
def test_any_images_are_as_likely_to_be_kept_as_any_others(few):
    few, rng = labelled(few, 0, 0, 0, 0, 0, 0), np.random.default_rng(0)
    kept = [numbers(learn_from(few, 2, rng).train) for _ in range(1500)]
    pairs = list(combinations(range(6), 2))  # 15
    assert_equally_often(np.bincount([pairs.index(tuple(two)) for two in kept]))


@pytest.mark.parametrize("count", [-1, 0, 7, 60_000])
def test_no_more_images_are_kept_than_there_are(few, count):
    message = f"^few: cannot learn from {count} images, expected 1 to 6$"
    with pytest.raises(InputError, match=message):
        learn_from(few, count, np.random.default_rng(0))


def test_of_every_class_an_image_is_kept_or_one_sentence_says_of_which_none_would_be(few):
    few, refused = labelled(few, 0, 1, 2, 0, 1, 1), set()
    for seed in range(40):
        try:
            kept = learn_from(few, 4, np.random.default_rng(seed))
        except InputError as error:
            refused.add(str(error))
        else:
            assert set(kept.train.labels.tolist()) == {0, 1, 2}
    assert refused
    assert refused <= {
        f"few: of 4 images drawn none is of class {label}; more of them, or another seed, "
        "may have some"
        for label in (0, 2)
    }
    # a class that had no image before is not missed
    assert (
        len(learn_from(labelled(few, 0, 0, 0, 4, 4, 4), 5, np.random.default_rng(0)).train[1]) == 5
    )


def test_images_that_are_held_out_are_never_learned_from(few):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        held = hold_out(labelled(few, 0, 0, 0, 0, 0, 0), 2, rng)
        kept = learn_from(held, 3, rng)
        assert not set(numbers(kept.train)) & set(numbers(kept.test))
        assert kept.test is held.test
        assert kept.name == "few, 2 held out, 3 to learn from"


def test_a_data_set_tells_its_size_and_its_classes(few):
    assert few.image_shape == (1, 2, 3)
    assert few.num_classes == 2
    assert labelled(few, 0, 3, 3, 0, 3, 0).num_classes == 4
    assert few.summary == "6 training and 1 test images of 2×3, 2 classes: 0 to 1"
    named = labelled(few, 0, 1, 2, 0, 1, 2)._replace(
        class_names=("cat", "dog", "emu"), notes=("turned", "scaled")
    )
    assert [named.class_name(k) for k in range(4)] == ["cat", "dog", "emu", "3"]
    assert named.summary == (
        "6 training and 1 test images of 2×3, 3 classes: cat, dog, emu; turned; scaled"
    )
    numbered = named._replace(class_names=("1", "2", "3"), notes=())
    assert numbered.summary == "6 training and 1 test images of 2×3, 3 classes: 1 to 3"
    two = few._replace(train=Split(np.zeros((6, 2, 2, 3), np.uint8), few.train.labels))
    assert two.summary.startswith("6 training and 1 test images of 2×3 in 2 channels, 2 classes")
