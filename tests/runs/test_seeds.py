import numpy as np
import pytest

from minise import InputError, backend, data, runs
from minise.data import Split


def test_mean_deviation_and_error_by_hand():
    tests = runs.Seeds({0: 0.90, 1: 0.92, 2: 0.97})
    assert tests.mean == pytest.approx(0.93)
    assert tests.deviation == pytest.approx(0.0013**0.5)  # (9 + 1 + 16)/2 · 10⁻⁴
    assert tests.standard_error == pytest.approx(tests.deviation / 3**0.5)


def test_equal_figures_deviate_by_nothing_and_each_of_them_counts():
    tests = runs.Seeds({0: 0.9, 1: 0.9, 2: 0.9, 3: 0.8})
    assert tests.mean == pytest.approx(0.875)
    assert tests.deviation == pytest.approx(0.05)  # √((3 · 0.025² + 0.075²) / 3)
    assert tests.standard_error == pytest.approx(0.025)
    same = runs.Seeds({0: 0.9, 1: 0.9})
    assert (same.deviation, same.standard_error) == (0, 0)
    assert (tests - same).figures == {0: 0, 1: 0}


def test_differences_are_taken_seed_by_seed_where_both_have_one():
    a, b = runs.Seeds({0: 0.9, 1: 0.8, 7: 0.1}), runs.Seeds({9: 0.3, 1: 0.5, 0: 0.5})
    difference = a - b
    assert difference.figures == {0: pytest.approx(0.4), 1: pytest.approx(0.3)}
    assert difference.mean == pytest.approx(0.35)
    assert difference.standard_error == pytest.approx(0.05)  # √(2 · 0.05² / 1) / √2


def test_a_difference_is_unfinished_where_both_have_begun_and_one_has_no_figure():
    a = runs.Seeds({0: 0.9, 1: 0.8, 2: 0.7}, unfinished=(3, 4))
    b = runs.Seeds({0: 0.5, 3: 0.4, 7: 0.3}, unfinished=(1, 4, 9))
    difference = a - b
    assert list(difference.figures) == [0]
    assert difference.unfinished == (1, 3, 4)  # seeds 2, 7 and 9 have begun in one of them alone


def test_one_seed_does_not_say_how_much_others_differ():
    one = runs.Seeds({0: 0.9})
    assert (one.mean, one.interval()) == (0.9, None)
    for name in ("deviation", "standard_error"):
        with pytest.raises(InputError, match="seeds: 1 in common, expected at least 2"):
            getattr(one, name)


def test_without_a_seed_there_is_nothing():
    with pytest.raises(InputError, match="seeds: 0 in common, expected at least 1"):
        runs.Seeds({0: 0.9, 1: 0.8}) - runs.Seeds({2: 0.9, 3: 0.8})


def test_an_interval_by_hand():
    tests = runs.Seeds({0: 0.90, 1: 0.92, 2: 0.97})  # standard error √(0.0013 / 3)
    low, high = tests.interval()
    reach = 4.302652729749 * (0.0013 / 3) ** 0.5  # from a printed table, 2 degrees of freedom
    assert (low, high) == (pytest.approx(0.93 - reach), pytest.approx(0.93 + reach))
    low, high = tests.interval(0.9975)
    assert (high - low) / 2 == pytest.approx(19.9625 * (0.0013 / 3) ** 0.5, rel=1e-4)


def test_figures_that_are_all_equal_have_no_interval():
    assert runs.Seeds({0: 0.9, 1: 0.9, 2: 0.9}).interval() is None
    difference = runs.Seeds({0: 0.3, 1: 0.2}) - runs.Seeds({0: 0.2, 1: 0.1})
    assert len(set(difference.figures.values())) == 2  # by rounding alone
    assert difference.interval() is None


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, float("nan")])
def test_a_confidence_is_a_share(confidence):
    with pytest.raises(InputError, match=r"confidence: .*, expected above 0 and below 1"):
        runs.Seeds({0: 0.9, 1: 0.8}).interval(confidence)


def test_as_many_intervals_hold_the_true_mean_as_they_say():
    rng = np.random.default_rng(0)
    samples = rng.normal(0.5, 0.1, (1000, 4))
    held = [
        low < 0.5 < high
        for low, high in (runs.Seeds(dict(enumerate(s))).interval(0.9) for s in samples.tolist())
    ]
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)  # three standard errors


def alike(stripes):
    """The same image throughout: what differs between two batches was drawn."""
    images, labels = stripes.train
    return stripes._replace(train=Split(np.broadcast_to(images[0], images.shape), labels))


def drawn(stripes, seed):
    """The weights; and for two passes the images, which differ by augmentation, and the labels."""
    config = runs.Config(model="se-resnet8", augment=True, batch_size=50, seed=seed)
    training = runs.training_of(config, alike(stripes))
    state = training.net.state_dict()
    passes = [list(training.batches) for _ in range(2)]
    images, labels = ([[of[k] for of in batches] for batches in passes] for k in (0, 1))
    return state, *(np.stack([np.concatenate(of) for of in some]) for some in (images, labels))


@pytest.mark.effect("runs.Config(seed)")
def test_two_seeds_share_no_weight_no_order_and_no_augmentation(stripes):
    (a, x_a, labels_a), (b, x_b, labels_b) = (drawn(stripes, seed) for seed in (0, 1))
    for name, value in a.items():
        if value.ndim > 1:
            assert not (value == b[name]).any(), name
        else:  # biases, and all of batch norm
            np.testing.assert_array_equal(value, b[name])
    orders = {labels.tobytes() for labels in (*labels_a, *labels_b)}
    assert len(orders) == 4  # of two seeds, in two passes
    images = np.concatenate([*x_a, *x_b])
    assert len({image.tobytes() for image in images}) == len(images) == 4 * 120


def test_a_seed_gives_the_same_bits_on_each_backend(stripes):
    with backend.using("numpy"):
        a, *batches_a = drawn(stripes, 3)
    with backend.using("numba"):
        b, *batches_b = drawn(stripes, 3)
    assert list(a) == list(b)
    for one, other in zip([*a.values(), *batches_a], [*b.values(), *batches_b], strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_weights_order_and_held_out_images_come_from_a_stream_each(stripes, monkeypatch):
    begun, default_rng = [], np.random.default_rng

    def noted(*seed):
        begun.append(str(default_rng(*seed).bit_generator.state))
        return default_rng(*seed)

    monkeypatch.setattr(np.random, "default_rng", noted)
    monkeypatch.setattr(data, "load", lambda source: stripes)
    for seed in range(3):
        config = runs.Config(model="se-resnet8", hold_out=20, seed=seed)
        runs.training_of(config, runs.dataset_of(config))
    assert len(set(begun)) == len(begun) == 9
