import json

import numpy as np
import pytest

from minise import InputError, data, models, runs, train
from minise.runs.config import fingerprint, read_config


def test_a_configuration_comes_back_from_its_json():
    config = runs.Config(options={"placement": "pre", "reduction": 8}, lr=0.3, epochs=4)
    assert read_config(json.dumps(config._asdict())) == config


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"modell": "se-cnn"}',
        '{"epochs": "many"}',
        '{"lr": "fast"}',
        '{"weight_decay": [0.1]}',
        '{"options": [1]}',
        '{"model": 3}',
    ],
)
def test_what_is_no_configuration_is_one_clear_error(text):
    with pytest.raises(InputError, match="not a training configuration"):
        read_config(text)


def test_what_a_newer_minise_wrote_is_told_as_such():
    with pytest.raises(InputError, match="dropout, ema: unknown; was it made by a newer minise"):
        read_config('{"seed": 1, "ema": 0.9, "dropout": 0.1}')


def test_a_change_is_shown_and_only_some_are_ever_allowed():
    config = runs.Config()
    assert runs.changed(config, {"epochs": 12, "seed": 0}, allowed=False) == config
    with pytest.raises(InputError, match=r"epochs: 12, now 13\n--allow-change"):
        runs.changed(config, {"epochs": 13}, allowed=False)
    assert runs.changed(config, {"epochs": 13}, allowed=True).epochs == 13
    with pytest.raises(InputError, match=r"seed: 0, now 1$"):
        runs.changed(config, {"epochs": 13, "seed": 1}, allowed=True)


def test_what_may_change_is_what_leaves_the_net_and_the_batches_as_they_are():
    def may(field):
        try:
            return runs.changed(runs.Config(), {field: "another"}, allowed=True) != runs.Config()
        except InputError:
            return False

    assert {field for field in runs.Config._fields if may(field)} == {
        "data",  # which may have moved
        "epochs", "lr", "weight_decay", "schedule", "label_smoothing", "augment", "test_at_end",
    }  # fmt: skip


def order_of(seed):
    """Drawn from another generator than the weights, which `create` draws with the seed alone."""
    return np.random.default_rng([seed, 1]).permutation(120)[:4].tolist()


def weights_of(seed):
    return models.create("se-cnn3", seed=seed).conv1.weight.value[0, 0, 0].tolist()


# A field, another value than its default; what is seen in a training of 120 images, by default and
# with that value.
SEEN = [
    ("model", "resnet8", lambda t: t.net.fc.weight.value.shape, (3, 160), (3, 64)),
    ("options", {"reduction": 4}, lambda t: t.net.se3.fc1.weight.value.shape, (20, 40), (10, 40)),
    ("epochs", 5, lambda t: t.epochs, 12, 5),
    ("batch_size", 50, lambda t: t.batches.sizes(), [64, 56], [50, 20]),
    ("optimizer", "adamw", lambda t: type(t.optimizer), train.SGD, train.AdamW),
    ("lr", 0.3, lambda t: (t.optimizer.lr, t.schedule(7)), (0.1, 0.1), (0.3, 0.3)),
    ("weight_decay", 0.2, lambda t: t.optimizer.weight_decay, 5e-4, 0.2),
    ("schedule", "cosine", lambda t: round(t.schedule(0), 9), 0.004, 0.1),
    ("label_smoothing", 0.2, lambda t: t.label_smoothing, 0, 0.2),
    ("augment", False, lambda t: t.batches.augment, data.shift_and_rotate, None),
    ("test_at_end", True, lambda t: t.test_at_end, False, True),
    ("seed", 3, lambda t: t.batches.order()[:4].tolist(), order_of(0), order_of(3)),
    ("seed", 3, lambda t: t.net.conv1.weight.value[0, 0, 0].tolist(), weights_of(0), weights_of(3)),
]


@pytest.mark.effect(
    "runs.Config(model)", "runs.Config(options)", "runs.Config(epochs)", "runs.Config(batch_size)",
    "runs.Config(optimizer)", "runs.Config(lr)", "runs.Config(weight_decay)",
    "runs.Config(schedule)", "runs.Config(label_smoothing)", "runs.Config(augment)",
    "runs.Config(test_at_end)", "runs.Config(seed)",
)  # fmt: skip
@pytest.mark.parametrize(("field", "value", "see", "by_default", "expected"), SEEN)
def test_each_field_is_seen_in_the_training(stripes, field, value, see, by_default, expected):
    assert see(runs.training_of(runs.Config(), stripes)) == by_default
    assert see(runs.training_of(runs.Config(**{field: value}), stripes)) == expected


def test_the_fields_that_are_not_given_are_those_of_older_runs():
    """Whose checkpoints and recipes would otherwise be another training."""
    assert runs.Config() == (
        "se-cnn3", {}, "sample", 0, 0, 12, 64, "sgd", None, None, "one-cycle", 0.0, True, False, 0,
    )  # fmt: skip


def test_the_schedule_reaches_from_the_first_step_of_all_to_the_last(stripes):
    training = runs.training_of(runs.Config(epochs=2, batch_size=50, lr=0.5), stripes)
    # three steps in each epoch, the third with 20 images
    assert [training.schedule(step) for step in (0, 1, 3, 5)] == pytest.approx(
        [0.02, 0.5, 0.25 + 1e-6, 2e-6]
    )


def test_the_optimizer_has_momentum_as_nesterov_takes_it(stripes):
    optimizer = runs.training_of(runs.Config(), stripes).optimizer
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)


def test_the_net_is_made_for_the_classes_and_channels_of_the_images(stripes):
    images, labels = stripes.train
    colours = data.Split(np.repeat(images, 2, axis=1), labels + 1)
    net = runs.training_of(runs.Config(), stripes._replace(train=colours)).net
    assert net.fc.weight.value.shape[0] == 4
    assert net.conv1.weight.value.shape[1] == 2


def test_unknown_names_are_told(stripes):
    for given, message in {
        "model": "unknown model 'se-cnn4': did you mean 'se-cnn",
        "schedule": "unknown schedule 'one-cycel': did you mean 'one-cycle'",
        "optimizer": "unknown optimizer 'adam': did you mean 'adamw'",
    }.items():
        name = message.split("'")[1]
        with pytest.raises(InputError, match=message):
            runs.training_of(runs.Config(**{given: name}), stripes)
    with pytest.raises(InputError, match="se-resnet8: unknown option 'seed'"):
        runs.training_of(runs.Config(model="se-resnet8", options={"seed": 3}), stripes)


@pytest.mark.parametrize(
    ("field", "least", "below", "message"),
    [
        ("batch_size", 1, 0, "batch_size: 0, expected at least 1"),
        ("epochs", 1, 0, "epochs: 0, expected at least 1"),
        ("seed", 0, -1, "seed: -1, expected at least 0"),
        ("label_smoothing", 0.0, -0.1, "label_smoothing: -0.1, expected 0 to 1"),
        ("label_smoothing", 1.0, 1.1, "label_smoothing: 1.1, expected 0 to 1"),
        ("weight_decay", 0.0, -1.0, "weight_decay: -1.0, expected 0 or more"),
        ("lr", 0.0, -1.0, "lr: -1.0, expected 0 or more"),
        ("lr", 0, 2**128, "lr: 3402.*, expected less than 2\\*\\*128"),
        ("seed", 2**128 - 1, 2**128, "seed: 3402.*, expected less than 2\\*\\*128"),
    ],
)
def test_what_is_out_of_range_is_one_clear_error(stripes, field, least, below, message):
    runs.training_of(runs.Config(**{field: least}), stripes)
    with pytest.raises(InputError, match=message):
        runs.training_of(runs.Config(**{field: below}), stripes)


def test_rate_and_decay_are_the_optimizers_own_unless_given(stripes):
    for optimizer, lr, decay in (("sgd", 0.1, 5e-4), ("adamw", 0.01, 0.01)):
        for given, expected in (
            ({}, (lr, decay)),
            ({"lr": 0.3}, (0.3, decay)),
            ({"weight_decay": 0.0}, (lr, 0.0)),
        ):
            config = runs.Config(optimizer=optimizer, **given)
            moves = runs.training_of(config, stripes).optimizer
            assert (moves.lr, moves.weight_decay) == expected


@pytest.mark.effect("runs.Config(data)")
def test_the_data_are_those_that_are_named(tmp_path):
    images, labels = np.full((4, 8, 8), 7, np.uint8), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    few = runs.dataset_of(runs.Config(data=str(tmp_path / "few.npz")))
    assert few.train.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.effect("runs.Config(hold_out)", "runs.Config(seed)")
def test_held_out_images_are_training_images_and_the_same_for_a_seed():
    sample = data.load("sample")
    first, again, other = (
        runs.dataset_of(runs.Config(hold_out=1000, seed=seed)) for seed in (0, 0, 1)
    )
    assert len(first.train.labels) == 9000
    assert len(first.test.labels) == 1000
    assert first.name == "sample, 1,000 held out"
    together = sorted(x.tobytes() for split in (first.train, first.test) for x in split.images)
    assert together == sorted(x.tobytes() for x in sample.train.images)
    drawn = np.random.default_rng([0, 2]).permutation(10_000)[
        :1000
    ]  # for neither weights nor order
    assert (first.test.images == sample.train.images[drawn]).all()
    assert (first.test.images == again.test.images).all()
    assert not (first.test.images == other.test.images).all()
    with pytest.raises(InputError, match="cannot hold out 10000 images, expected 1 to 9999"):
        runs.dataset_of(runs.Config(hold_out=10_000))


@pytest.mark.effect("runs.Config(train_images)", "runs.Config(seed)")
def test_images_to_learn_from_are_the_same_for_a_seed_and_the_test_images_all_of_them():
    sample = data.load("sample")
    first, again, other = (
        runs.dataset_of(runs.Config(train_images=1000, seed=seed)) for seed in (0, 0, 1)
    )
    # by a generator of their own: neither that of the weights nor of the order nor of hold_out
    drawn = np.sort(np.random.default_rng([0, 3]).permutation(10_000)[:1000])
    np.testing.assert_array_equal(first.train.images, sample.train.images[drawn])
    np.testing.assert_array_equal(first.train.labels, sample.train.labels[drawn])
    np.testing.assert_array_equal(first.test.images, sample.test.images)
    assert (first.num_classes, first.name) == (10, "sample, 1,000 to learn from")
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert len({fingerprint(first), fingerprint(sample)}) == 2
    for count in (-1, 10_001):
        with pytest.raises(InputError, match=f"cannot learn from {count} images, expected 1 to"):
            runs.dataset_of(runs.Config(train_images=count))


def test_held_out_images_are_the_same_however_many_are_learned_from():
    held, few = (
        runs.dataset_of(runs.Config(hold_out=4000, train_images=count)) for count in (0, 1000)
    )
    np.testing.assert_array_equal(few.test.images, held.test.images)
    assert len(few.train.labels) == 1000
    learned, judged = ({x.tobytes() for x in split.images} for split in (few.train, few.test))
    assert not learned & judged
    with pytest.raises(InputError, match=r"^sample, 4,000 held out: cannot learn from 6001 images"):
        runs.dataset_of(runs.Config(hold_out=4000, train_images=6001))


def test_a_net_that_learns_from_few_images_knows_their_pixels_alone():
    config = runs.Config(train_images=100)
    dataset = runs.dataset_of(config)
    training = runs.training_of(config, dataset)
    assert (training.mean, training.std) == data.pixel_statistics(dataset.train.images)
    assert len(training.batches) == 2
    assert training.schedule(2 * 12 - 1) == pytest.approx(2e-6, abs=1e-4)  # the last step


def test_a_fingerprint_changes_with_the_shape_a_pixel_and_a_label(stripes):
    images, labels = stripes.train
    turned = data.Split(images.reshape(120, 1, 4, 16), labels)  # the same bytes
    prints = {fingerprint(stripes), fingerprint(stripes._replace(train=turned))}
    images[3, 0, 2, 1] ^= 1
    prints.add(fingerprint(stripes))
    labels[5] = (labels[5] + 1) % 3
    prints.add(fingerprint(stripes))
    assert len(prints) == 4


def test_a_net_in_training_knows_the_images_that_it_learns_from(stripes):
    assert runs.training_of(runs.Config(), stripes).net.image_shape == (1, 8, 8)
