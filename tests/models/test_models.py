import numpy as np
import pytest

from minise import InputError, models


@pytest.mark.parametrize(("name", "count"), [("se-cnn", 9_288), ("se-resnet8", 80_582)])
def test_the_parameter_count_is_the_published_one(name, count):
    net = models.create(name)
    assert sum(p.value.size for p in net.parameters()) == count


@pytest.mark.parametrize("name", models.names())
def test_a_batch_of_digits_becomes_one_score_per_class(name):
    net = models.create(name, num_classes=7, in_channels=2)
    scores = net(np.zeros((3, 2, 28, 28), np.float32))
    assert scores.shape == (3, 7)
    assert scores.dtype == np.float32


def test_the_state_of_a_block_is_listed_in_forward_order():
    names = [name for name in models.create("se-resnet8").state_dict() if name.startswith("block2")]
    parts = list(dict.fromkeys(".".join(name.split(".")[1:-1]) for name in names))
    assert parts == ["conv1", "bn1", "conv2", "bn2", "se.fc1", "se.fc2", "shortcut.0", "shortcut.1"]


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'se-resnet8'"):
        models.create("se-resnet9")


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = (models.create("se-cnn", seed=s).state_dict() for s in (1, 1, 2))
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])
