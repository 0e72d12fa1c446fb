import numpy as np
import pytest
from operations import Counter

from minise import InputError, models

SMALL = [name for name in models.names() if models.image_shape(name)[1] < 224]

# Parameters, and half the operations for one image of 224×224 (of 32×32 for CIFAR) in millions, as
# the model zoo osmr/imgclsmob lists them under "Params" and "FLOPs/2".
PUBLISHED = {
    "se-cnn": (9_288, None),
    "se-resnet8": (80_582, None),
    "resnet20": (272_474, None),
    "se-resnet20": (274_847, 41.30),
    "resnet18": (11_689_512, None),
    "se-resnet18": (11_778_592, 1_820.51),
    "resnet50": (25_557_032, 3_877.95),
    "se-resnet50": (28_088_024, 3_880.49),
    "resnet101": (44_549_160, None),
    "se-resnet101": (49_326_872, 7_602.76),
    "resnet152": (60_192_808, None),
    "se-resnet152": (66_821_848, 11_328.52),
    "se-resnext50-32x4d": (27_559_896, 4_258.40),
    "se-resnext101-32x4d": (48_955_416, 8_008.26),
    "senet154": (115_088_984, 20_745.78),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameter_count_is_the_published_one(name):
    net = models.create(name, filled=False)
    assert sum(p.value.size for p in net.parameters()) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if PUBLISHED[name][1]])
def test_the_operations_are_as_many_as_published(name):
    net = models.create(name, filled=False)
    operations = Counter(net).of(models.image_shape(name))
    assert round(operations / 2e6, 2) == PUBLISHED[name][1]


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_of_images_becomes_one_score_per_class(name):
    net = models.create(name, num_classes=7, in_channels=2)
    scores = net(np.zeros((3, 2, 28, 28), np.float32))
    assert scores.shape == (3, 7)
    assert scores.dtype == np.float32


def test_where_se_stands_and_in_which_stages_can_be_chosen():
    def se_blocks(**options):
        net = models.create("se-resnet50", filled=False, **options)
        return {name.split(".se.")[0] for name in net.state_dict() if ".se." in name}

    assert len(se_blocks()) == 16
    assert se_blocks(stages=[2]) == {"layer1.0", "layer1.1", "layer1.2"}
    plain = models.create("resnet50", filled=False).state_dict()
    within = models.create("se-resnet50", filled=False, placement="3x3").state_dict()
    assert within["layer1.0.se.fc1.weight"].shape == (4, 64)
    assert set(plain) == {name for name in within if ".se." not in name}


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
