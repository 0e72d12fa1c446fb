import json

import numpy as np
import pytest

from minise import InputError, data, runs
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


def test_a_change_is_shown_and_only_some_are_ever_allowed():
    config = runs.Config()
    assert runs.changed(config, {"epochs": 12, "seed": 0}, allowed=False) == config
    with pytest.raises(InputError, match=r"epochs: 12, now 13\n--allow-change"):
        runs.changed(config, {"epochs": 13}, allowed=False)
    assert runs.changed(config, {"epochs": 13}, allowed=True).epochs == 13
    with pytest.raises(InputError, match=r"seed: 0, now 1$"):
        runs.changed(config, {"epochs": 13, "seed": 1}, allowed=True)


def test_options_reach_the_net_and_unknown_names_are_told(stripes):
    config = runs.Config(model="se-resnet8", options={"reduction": 8}, epochs=1)
    training = runs.training_of(config, stripes)
    assert training.net.block3.se.fc1.weight.value.shape == (8, 64)
    with pytest.raises(InputError, match="se-resnet8: unknown option 'seed'"):
        runs.training_of(config._replace(options={"seed": 3}), stripes)
    with pytest.raises(InputError, match="unknown schedule 'one-cycel': did you mean 'one-cycle'"):
        runs.training_of(config._replace(schedule="one-cycel"), stripes)
    with pytest.raises(InputError, match="unknown optimizer 'adam': did you mean 'adamw'"):
        runs.training_of(config._replace(optimizer="adam"), stripes)


def test_rate_and_decay_are_the_optimizers_own_unless_given(stripes):
    for optimizer, lr, decay in (("sgd", 0.1, 5e-4), ("adamw", 0.01, 0.01)):
        config = runs.Config(optimizer=optimizer, epochs=1)
        training = runs.training_of(config, stripes)
        assert (training.optimizer.lr, training.optimizer.weight_decay) == (lr, decay)
        config = config._replace(lr=0.3, weight_decay=0.0)
        training = runs.training_of(config, stripes)
        assert (training.optimizer.lr, training.optimizer.weight_decay) == (0.3, 0.0)
    with pytest.raises(InputError, match="weight_decay -1"):
        runs.training_of(runs.Config(weight_decay=-1.0), stripes)


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
    assert (first.test.images == again.test.images).all()
    assert not (first.test.images == other.test.images).all()
    with pytest.raises(InputError, match="cannot hold out 10000 images, expected 1 to 9999"):
        runs.dataset_of(runs.Config(hold_out=10_000))


def test_a_class_is_never_held_out_as_a_whole(stripes):
    images, labels = stripes.train
    labels[labels == 2] = 0
    labels[7] = 2
    few = stripes._replace(train=data.Split(images, labels))
    held = [np.random.default_rng(seed).permutation(120)[:110] for seed in range(20)]
    seed = next(k for k, chosen in enumerate(held) if 7 in chosen)
    with pytest.raises(InputError, match="all images of class 2 would be held out"):
        data.hold_out(few, 110, np.random.default_rng(seed))


def test_a_fingerprint_changes_with_a_pixel_and_a_label(stripes):
    images, labels = stripes.train
    prints = {fingerprint(stripes)}
    images[3, 0, 2, 1] ^= 1
    prints.add(fingerprint(stripes))
    labels[5] = (labels[5] + 1) % 3
    prints.add(fingerprint(stripes))
    assert len(prints) == 3
