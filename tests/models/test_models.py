import math
import re

import numpy as np
import pytest
from imgclsmob_counts import Counter

from minise import InputError, data, models, nn, train
from minise.cost import cost

SMALL = [name for name in models.names() if models.image_shape(name)[1] < 224]

# Parameters, and half the operations for one image of 224×224 (of 32×32 for CIFAR) in millions, as
# the model zoo osmr/imgclsmob lists them under "Params" and "FLOPs/2".
PUBLISHED = {
    "se-cnn": (9_288, None),
    "se-cnn3": (10_662, None),
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
    "mobilenet": (4_231_976, 579.80),
}
# Parameters, and multiply-adds for one image of 224×224 in thousands of millions, as torchvision
# 0.28.0 states them with its weights: "num_params" and "_ops".
TORCHVISION = {
    "se-mobilenetv3-large": (5_483_032, 0.217),
    "se-mobilenetv3-small": (2_542_856, 0.057),
    "se-efficientnet-b0": (5_288_548, 0.386),
    "se-regnety-400mf": (4_344_144, 0.402),
}


def layers(net, kind):
    """All layers of one class in a net."""
    own = [net] if isinstance(net, kind) else []
    return own + [layer for _, child in net.children() for layer in layers(child, kind)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameter_count_is_the_published_one(name):
    net = models.create(name, filled=False)
    assert sum(p.value.size for p in net.parameters()) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if PUBLISHED[name][1]])
def test_the_operations_are_as_many_as_published(name):
    net = models.create(name, filled=False)
    operations = Counter(net).of(models.image_shape(name))
    assert round(operations / 2e6, 2) == PUBLISHED[name][1]


@pytest.mark.parametrize("name", TORCHVISION)
def test_parameters_and_multiply_adds_are_those_that_torchvision_states(name):
    parameters, giga = TORCHVISION[name]
    found = cost(models.create(name))
    assert (found.parameters, round(found.multiply_adds / 1e9, 3)) == (parameters, giga)


def test_bn_inception_has_the_published_figures_once_its_convolutions_have_biases():
    """The zoo's have them, and batch norm takes them off again; ours have none.

    Its poolings of stride 2 pad nothing and let a last window reach over the edge, ours pad a
    pixel: other windows, but as many of them, so they count the same.
    """
    net = models.create("bn-inception", filled=False)
    for conv in layers(net, nn.Conv2d):
        conv.bias = nn.Parameter(np.zeros(len(conv.weight.value), np.float32))
    assert sum(p.value.size for p in net.parameters()) == 11_295_240
    assert round(Counter(net).of((3, 224, 224)) / 2e6, 2) == 2_048.06


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("se-inception-tiny", 3),
        ("se-bn-inception", 10),
        ("se-mobilenet-tiny", 4),
        ("se-mobilenet", 13),
        ("se-mobilenetv3-tiny", 3),
        ("se-mobilenetv3-small", 9),
        ("se-mobilenetv3-large", 8),
        ("se-efficientnet-tiny", 4),
        ("se-efficientnet-b0", 16),
        ("se-regnety-400mf", 16),
        ("se-vgg-tiny", 6),
    ],
)
def test_every_unit_of_a_host_has_its_se_block(name, blocks):
    assert len(layers(models.create(name, filled=False), nn.SEBlock)) == blocks


@pytest.mark.parametrize(
    "name", [name for name in models.names() if f"se-{name}" in models.names()]
)
def test_a_net_without_se_has_the_state_of_the_one_with_it_but_for_the_blocks(name):
    plain, with_se = (
        [key for key, _ in models.create(each, filled=False).named_state()]
        for each in (name, f"se-{name}")
    )
    kept = [key for key in with_se if not re.search(r"(^|\.)se[\d_]*\.", key)]
    assert plain == kept
    assert len(kept) < len(with_se)


@pytest.mark.effect("models.create(num_classes)", "models.create(in_channels)")
@pytest.mark.parametrize("name", SMALL)
def test_a_batch_of_images_becomes_one_score_per_class(name):
    net = models.create(name, num_classes=7, in_channels=2)
    scores = net(np.zeros((3, 2, 28, 28), np.float32))
    assert scores.shape == (3, 7)
    assert scores.dtype == np.float32


# of each family one learns at once
QUICK = (
    "se-cnn3", "se-resnet8", "se-inception-tiny", "se-mobilenet-tiny", "se-mobilenetv3-tiny",
    "se-efficientnet-tiny", "se-vgg-8k",
)  # fmt: skip
LEARNERS = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
    for name in SMALL
    if models.image_shape(name)[1] == 28
]


@pytest.mark.filterwarnings("ignore:.*dead relus")  # of hidden units of SE, two or three in all
@pytest.mark.parametrize("name", LEARNERS)
def test_a_net_learns_in_two_epochs_of_a_few_digits(name):
    sample = data.load("sample")
    few = data.Dataset(
        "few",
        data.Split(sample.train.images[:512], sample.train.labels[:512]),
        data.Split(sample.test.images[:64], sample.test.labels[:64]),
    )
    net = models.create(name)
    optimizer = train.SGD(net.parameters(), lr=0.05, momentum=0.9)
    rng = np.random.default_rng(0)
    first, second = train.fit(net, few, optimizer, epochs=2, batch_size=32, rng=rng)
    assert second.loss < first.loss
    assert second.loss < math.log(10)  # that of a guess


@pytest.mark.effect("models.create(placement)", "models.create(stages)")
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


@pytest.mark.effect(
    "models.create(options)", "models.create(gate)", "models.create(squeeze)",
    "models.create(bias)", "models.create(activation)", "models.create(norm)",
    "models.create(residual)",
)  # fmt: skip
def test_options_of_the_se_block_reach_every_block_of_the_net():
    net = models.create("se-resnet20", gate="tanh", squeeze="max", bias=False)
    other = models.create("se-resnet20", activation="silu", norm="after", residual=True)
    for block in layers(other, nn.SEBlock):
        assert [name for name, _ in block.activation.children()] == ["activation", "norm"]
        assert isinstance(block.activation.activation, nn.SiLU)
        assert (block.gate(np.float32([0])) == 1.5).all()
    blocks = layers(net, nn.SEBlock)
    assert len(blocks) == 9
    for block in blocks:
        assert isinstance(block.gate, nn.Tanh)
        assert isinstance(block.squeeze, nn.GlobalMaxPool)
        assert block.fc1.bias is None
        assert block.fc2.bias is None


def hidden_widths(name, **options):
    net = models.create(name, filled=False, **options)
    return [block.fc1.weight.value.shape[0] for block in layers(net, nn.SEBlock)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("se-cnn", [8 // 4, 16 // 4]),
        ("se-cnn3", [16 // 2, 40 // 2]),
        ("se-resnet8", [16 // 4, 32 // 4, 64 // 4]),
        ("se-resnet14", [16 // 16, 1, 32 // 16, 2, 64 // 16, 4]),
        ("se-inception-tiny", [56 // 4, 88 // 4, 112 // 4]),
        ("se-mobilenet-tiny", [32 // 4, 64 // 4, 64 // 4, 128 // 4]),
        ("se-mobilenetv3-tiny", [8, 24, 24]),  # of 16, 72 and 96 channels
        ("se-efficientnet-tiny", [16 // 4, 16 // 4, 24 // 4, 32 // 4]),
        ("se-vgg-8k", [8 // 8, 1, 1, 10 // 8, 1, 12 // 8, 14 // 8, 1]),
        ("se-vgg-18k", [6 // 4, 12 // 4, 3, 3, 24 // 4, 6, 6]),
        ("se-resnet18", [64 // 16, 4, 128 // 16, 8, 256 // 16, 16, 512 // 16, 32]),
    ],
)
def test_a_net_has_a_reduction_of_its_own(name, expected):
    assert hidden_widths(name) == expected


@pytest.mark.effect("models.create(reduction)", "models.create(hidden)", "models.create(rounding)")
@pytest.mark.parametrize(
    ("options", "expected"),
    [({"reduction": 8}, [2, 4, 8]), ({"hidden": 3}, [3, 3, 3]), ({"rounding": "timm"}, [8, 8, 16])],
)
def test_hidden_units_of_se_are_as_many_as_asked_for(options, expected):
    assert hidden_widths("se-resnet8", **options) == expected


@pytest.mark.effect("models.create(dtype)")
def test_all_of_a_net_is_of_one_dtype():
    state = models.create("se-resnet8", dtype=np.float64).state_dict()
    assert {value.dtype for value in state.values()} == {np.dtype(np.float64)}


@pytest.mark.effect("models.create(filled)")
def test_weights_that_are_not_filled_are_not_drawn(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: rng)
    before = rng.bit_generator.state
    models.create("se-cnn", filled=False)
    assert rng.bit_generator.state == before
    models.create("se-cnn")
    assert rng.bit_generator.state != before


@pytest.mark.effect("models.create(stride_first)")
@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("se-resnet50", {}, True),
        ("se-resnet50", {"stride_first": False}, False),
        ("resnet50", {"stride_first": True}, True),
        ("se-resnext50-32x4d", {}, False),
        ("se-resnext50-32x4d", {"stride_first": True}, True),
    ],
)
def test_the_stride_of_a_bottleneck_is_where_it_is_asked_for(name, options, first):
    net = models.create(name, filled=False, **options)
    strides = [
        (block.conv1.stride[0], block.conv2.stride[0]) for block in layers(net, nn.Bottleneck)
    ]
    halving = (2, 1) if first else (1, 2)
    # the pooling has already halved what comes to the first stage, of 3 blocks
    later = [pair for blocks in (4, 6, 3) for pair in [halving] + (blocks - 1) * [(1, 1)]]
    assert strides == 3 * [(1, 1)] + later


@pytest.mark.effect("models.create(ceil_pool)")
def test_the_stem_pools_as_caffe_does_where_that_is_asked_for():
    x = np.random.default_rng(0).standard_normal((1, 64, 8, 8)).astype(np.float32)
    caffe = models.create("se-resnet50", filled=False, ceil_pool=True).maxpool(x)
    usual = models.create("se-resnet50", filled=False).maxpool(x)
    assert caffe.shape == usual.shape == (1, 64, 4, 4)
    for k, (high, low) in enumerate([(0, 3), (2, 5), (4, 7), (6, 9)]):  # cut off at the edge
        np.testing.assert_array_equal(caffe[:, :, k, k], x[:, :, high:low, high:low].max((2, 3)))
    for k, (high, low) in enumerate([(0, 2), (1, 4), (3, 6), (5, 8)]):
        np.testing.assert_array_equal(usual[:, :, k, k], x[:, :, high:low, high:low].max((2, 3)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("se-cnn", {"reductio": 4}, "^se-cnn: unknown option 'reductio': did you mean 'reduction'"),
        (
            "se-efficientnet-b0",
            {"norm_eps": 1e-3},
            "^se-efficientnet-b0: unknown option 'norm_eps'",
        ),
        ("mobilenetv3-tiny", {"norm_eps": "tiny"}, "norm_eps is 'tiny', expected a number"),
        ("mobilenetv3-tiny", {"norm_eps": -1}, "norm_eps is -1, expected a number above 0"),
        ("mobilenetv3-tiny", {"norm_momentum": 2}, "is 2, expected a number in 0 to 1"),
        ("se-cnn", {"hidden": True}, "hidden is True, expected a whole number"),
        ("se-cnn", {"num_classes": 0}, "^se-cnn: num_classes 0, expected a whole number"),
        ("se-cnn", {"num_classes": 2.5}, "^se-cnn: num_classes 2.5, expected a whole number"),
        ("se-cnn", {"in_channels": 0}, "^se-cnn: in_channels 0, expected a whole number"),
        ("se-efficientnet-tiny", {"reduction": 32}, "leaves no hidden unit for 16 channels"),
        ("se-cnn", {"placement": "pre"}, "^se-cnn: unknown option 'placement'"),
        ("cnn", {"reduction": 4}, "^cnn: unknown option 'reduction': there are none$"),
        ("resnet50", {"stages": [2]}, "^resnet50: unknown option 'stages'"),
        ("se-resnet20", {"stride_first": True}, "^se-resnet20: unknown option 'stride_first'"),
        ("se-resnet20", {"stages": 2}, "se-resnet20: stages is 2, expected numbers of stages"),
        ("se-resnet20", {"stages": [7]}, r"stages \[7\], expected some of \[1, 2, 3\]"),
        ("se-resnet50", {"stages": [1]}, r"stages \[1\], expected some of \[2, 3, 4, 5\]"),
        ("se-resnet8", {"reduction": 32}, "leaves no hidden unit for 16 channels"),
        ("se-mobilenet", {"gate": "sigmod"}, "unknown gate 'sigmod': did you mean 'sigmoid'"),
        ("se-resnet8", {"placement": "prae"}, "unknown placement 'prae': did you mean 'pre'"),
    ],
)
def test_an_option_that_a_net_cannot_have_is_one_clear_error(name, options, message):
    with pytest.raises(InputError, match=message):
        models.create(name, filled=False, **options)


def test_the_state_of_a_block_is_listed_in_forward_order():
    names = [name for name in models.create("se-resnet8").state_dict() if name.startswith("block2")]
    parts = list(dict.fromkeys(".".join(name.split(".")[1:-1]) for name in names))
    assert parts == ["conv1", "bn1", "conv2", "bn2", "se.fc1", "se.fc2", "shortcut.0", "shortcut.1"]


@pytest.mark.parametrize(("image_shape", "missing"), [
    ((1, 28, 28), set()),
    ((3, 8, 8), {"cnn", "se-cnn", "cnn3", "se-cnn3"}),
    ((1, 500, 300), {"cnn", "se-cnn", "cnn3", "se-cnn3"}),
    ((1, 1, 1), {name for name in SMALL if not re.search("resnet|mobilenet|efficient", name)}),
])  # fmt: skip
def test_the_nets_that_take_an_image_are_those_that_it_fits(image_shape, missing):
    of_mnist = {name for name in SMALL if models.image_shape(name)[1] == 28}
    assert set(models.taking(image_shape)) == of_mnist - missing


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'se-resnet8'"):
        models.create("se-resnet9")


@pytest.mark.effect("models.create(seed)")
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = (models.create("se-cnn", seed=s).state_dict() for s in (1, 1, 2))
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_is_drawn_with_the_seed_of_the_net(name):
    first, other = (
        [p.value for p in models.create(name, seed=seed).parameters() if p.value.ndim > 1]
        for seed in (1, 2)
    )
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {"reduction": "many"},
        {"reduction": float("nan")},
        {"reduction": True},
        {"bias": "False"},
        {"hidden": 10**13},
        {"hidden": 2.5},
        {"squeeze": 3},
        {"gate": None},
        {"placement": 3},
        {"stages": "23"},
        {"num_classes": -1},
        {"dtype": "x"},
    ],
)
def test_odd_values_are_one_clear_error(options):
    with pytest.raises(InputError):
        models.create("se-resnet8", filled=False, **options)
