"""SE's relatives by name, in every net and in every place."""

import numpy as np
import pytest
from closeness import assert_close

from minise import InputError, backend, models, nn
from minise.models.blocks import OPTIONS
from minise.nn.relatives import BLOCK_OPTIONS

DEEP = ("56", "110", "164", "101", "152", "101-32x4d", "154")  # of the parts of less deep ones
HOSTS = [
    pytest.param(name, marks=[pytest.mark.slow] * name.endswith(DEEP))
    for name in models.names()
    if models.has_option(name, "block")
]
# of each way that a net has to give its blocks their channels
FEW = (
    "se-cnn", "se-cnn3", "se-resnet8", "se-inception-tiny", "se-mobilenet-tiny",
    "se-mobilenetv3-tiny", "se-efficientnet-tiny", "se-vgg-8k",
)  # fmt: skip


def kernel(C):
    """The odd number that equation 12 of ECA's paper rounds to."""
    size = int(abs((np.log2(C) + 1) / 2))
    return size if size % 2 else size + 1


# What is typed, the class, and its parameters for C channels and h hidden units.
BLOCKS = {
    "se": ({"block": "se"}, nn.SEBlock, lambda C, h: 2 * C * h + h + C),
    "no squeeze": ({"squeeze": "none"}, nn.NoSqueeze, lambda C, h: 2 * C * h + h + C),
    "ese": ({"block": "ese"}, nn.EffectiveSE, lambda C, h: C * C + C),
    "eca": ({"block": "eca"}, nn.ECA, lambda C, h: kernel(C)),
    "scse": ({"block": "scse"}, nn.ConcurrentSE, lambda C, h: 2 * C * h + h + C + C + 1),
    "sse": ({"block": "sse"}, nn.SpatialSE, lambda C, h: C + 1),
    "ge": ({"block": "ge"}, nn.GatherExcite, lambda C, h: 0),
}
EACH = pytest.mark.parametrize("name", BLOCKS)


def parameters(layer):
    return sum(parameter.value.size for parameter in layer.parameters())


def outermost(net, kind):
    """The layers of one class, by name, but for those within another of these."""
    found = {}
    for name, layer in net.named_layers():
        if type(layer) is kind and not any(name.startswith(f"{other}.") for other in found):
            found[name] = layer
    return found


def test_every_class_of_blocks_has_a_name():
    assert {kind for _, kind, _ in BLOCKS.values()} == set(BLOCK_OPTIONS)
    relatives = {getattr(nn, name) for name in nn.relatives.__all__}
    assert relatives == set(BLOCK_OPTIONS) - {nn.SEBlock}


@EACH
@pytest.mark.parametrize("host", HOSTS)
def test_a_relative_stands_wherever_the_net_has_se_with_as_many_parameters_as_it_should(host, name):
    options, kind, count = BLOCKS[name]
    usual, net = (models.create(host, filled=False, **given) for given in ({}, options))
    se, blocks = outermost(usual, nn.SEBlock), outermost(net, kind)
    assert list(se) == list(blocks)
    sizes = {place: block.fc1.weight.value.shape for place, block in se.items()}  # h, C
    for place, (h, C) in sizes.items():
        assert parameters(blocks[place]) == count(C, h), place
    of_blocks = sum(map(parameters, blocks.values()))
    assert parameters(net) - of_blocks == parameters(usual) - sum(map(parameters, se.values()))


@pytest.mark.effect("models.create(block)")
@pytest.mark.usefixtures("each_backend")
@EACH
@pytest.mark.parametrize("host", ["se-resnet8", "se-mobilenetv3-tiny"])
def test_a_pass_through_a_net_is_the_same_on_every_backend(host, name):
    options, kind, _ = BLOCKS[name]
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((3, 1, 9, 11)), rng.standard_normal((3, 10))
    passes = []
    for chosen in (backend.current().name, "numpy"):
        with backend.using(chosen):
            net = nn.layer.moved(models.create(host, dtype=np.float64, **options))
            y, backward = net.forward(backend.asarray(x))
            dx = backward(backend.asarray(dy))
            grads = {k: backend.asnumpy(p.grad) for k, p in net.named_parameters()}
            passes.append((backend.asnumpy(y), backend.asnumpy(dx), grads))
            assert outermost(net, kind)
    (y, dx, grads), (expected, expected_dx, expected_grads) = passes
    assert y.shape == (3, 10)
    assert_close(y, expected)
    assert_close(dx, expected_dx)
    for parameter, grad in grads.items():
        assert_close(grad, expected_grads[parameter], roundings=4096)


@EACH
@pytest.mark.parametrize("placement", nn.PLACEMENTS)
def test_any_relative_stands_in_every_place_of_the_stages_that_are_asked_for(placement, name):
    options, kind, _ = BLOCKS[name]
    net = models.create(
        "se-resnet8", stages=[1, 3], placement=placement, dtype=np.float64, **options
    )
    assert list(outermost(net, kind)) == ["block1.se", "block3.se"]
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8))
    plain = models.create("resnet8", filled=False, dtype=np.float64)
    plain.load_state_dict({k: v for k, v in net.state_dict().items() if ".se." not in k})
    assert plain.block2(plain.block1(plain.bn(plain.conv(x)))).shape == (2, 32, 4, 4)
    assert not np.allclose(net(x), plain(x))
    for block in outermost(net, kind).values():  # the identity instead: only the blocks differ
        block.forward = lambda x, training=True: (x, lambda dy: dy)
        block.gates = lambda x, training=True: (np.ones(x.shape[:2]), None)
    if placement != "activated":  # which has a relu more
        np.testing.assert_allclose(net(x), plain(x), rtol=1e-12)


@EACH
def test_the_options_of_a_block_are_those_of_its_class_and_others_are_refused(name):
    typed, kind, _ = BLOCKS[name]
    has = BLOCK_OPTIONS[kind]
    told = "squeeze=none" if kind is nn.NoSqueeze else f"block={name}"
    for option in OPTIONS[1:]:
        value = next(of[option] for of in BLOCK_OPTIONS.values() if option in of)
        if option in has or option in typed:
            models.create("se-resnet8", filled=False, **{option: value} | typed)
            continue
        with pytest.raises(InputError) as raised:
            models.create("se-resnet8", filled=False, **{option: value} | typed)
        assert str(raised.value) == (
            f"se-resnet8: {option} does nothing with {told}, "
            f"which takes {', '.join(has) or 'no options'}"
        )


@pytest.mark.effect("models.create(merge)", "models.create(kernel_size)", "models.create(smallest)")
@pytest.mark.parametrize(
    ("options", "see", "expected"),
    [
        ({"block": "scse"}, lambda se: se.merge, "max"),
        ({"block": "scse", "merge": "add"}, lambda se: se.merge, "add"),
        ({"block": "eca"}, lambda se: se.conv.weight.value.size, 3),
        ({"block": "eca", "kernel_size": 7}, lambda se: se.conv.weight.value.size, 7),
        ({"block": "eca", "smallest": 5}, lambda se: se.conv.weight.value.size, 5),
        ({"block": "ese", "gate": "tanh"}, lambda se: type(se.gate), nn.Tanh),
        ({"block": "ese", "bias": False}, lambda se: se.fc.bias, None),
        ({"block": "sse", "bias": False}, lambda se: se.conv.bias, None),
        ({"block": "scse", "bias": False}, lambda se: se.channel.fc2.bias, None),
        ({"block": "scse", "bias": False}, lambda se: se.spatial.conv.bias, None),
        ({"block": "scse", "squeeze": "max"}, lambda se: type(se.channel.squeeze),
         nn.GlobalMaxPool),
        ({"squeeze": "none", "gate": "relu"}, lambda se: type(se.gate), nn.ReLU),
    ],
)  # fmt: skip
def test_options_of_a_relative_reach_every_block(options, see, expected):
    net = models.create("se-resnet8", filled=False, **options)
    assert [see(getattr(net, f"block{k}").se) for k in (1, 2, 3)] == 3 * [expected]


def test_what_the_net_chooses_for_se_a_relative_has_too_where_it_can():
    both = models.create("se-mobilenetv3-tiny", block="scse").block1.se.channel
    assert isinstance(both.gate, nn.HardSigmoid)
    assert both.fc1.weight.value.shape == (8, 16)  # torchvision's rounding of 16 / 4
    effective = models.create("se-mobilenetv3-tiny", block="ese", gate="sigmoid").block1.se
    assert isinstance(effective.gate, nn.Sigmoid)  # unless it is given
    net = models.create("se-efficientnet-tiny", block="scse")
    channels = [block.channel for block in outermost(net, nn.ConcurrentSE).values()]
    assert all(isinstance(block.activation, nn.SiLU) for block in channels)
    # a quarter of the channels that come into the block around it, not of those that it weighs
    sizes = [block.fc1.weight.value.shape for block in channels]
    assert sizes == [(4, 16), (4, 64), (6, 96), (8, 128)]


@EACH
def test_weights_come_back_into_the_same_net_and_no_other(tmp_path, name):
    options, _, _ = BLOCKS[name]
    net = models.create("se-resnet8", seed=3, stem_stride=2, **options)
    models.save(net, tmp_path / "net.safetensors")
    given = options | {"stem_stride": 2}
    same = models.load("se-resnet8", tmp_path / "net.safetensors", **given)
    assert net.made_as == same.made_as == (*net.made_as[:3], given)
    assert str(same) == str(models.registry.again(net.made_as)) == str(net)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(same.state_dict()[key], value)
    for other in ({"stem_stride": 2, "block": "ge" if name == "eca" else "eca"}, options):
        with pytest.raises(InputError) as raised:
            models.load("se-resnet8", tmp_path / "net.safetensors", **other)
        call = ", ".join(f"{option}={value!r}" for option, value in net.made_as.options.items())
        assert str(raised.value).endswith(f"{call}) reads it")


def test_a_relative_is_not_taken_for_the_se_net_of_another_library(tmp_path):
    net = models.create("se-resnet18", filled=False, block="ge")
    with pytest.raises(InputError, match=r"is not timm's seresnet18: .*makes theirs"):
        models.save(net, tmp_path / "net.safetensors", naming="timm")


@pytest.mark.parametrize("host", FEW)
def test_se_by_its_name_is_the_net_without_one(host):
    usual, named = (models.create(host, seed=5, **given) for given in ({}, {"block": "se"}))
    assert str(usual) == str(named)
    for key, value in usual.state_dict().items():
        np.testing.assert_array_equal(named.state_dict()[key], value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": "ec"}, r"^se-cnn: unknown block 'ec': did you mean 'eca'\? There are se, ese, "),
        ({"block": None}, "^se-cnn: block is None, expected a name"),
        ({"block": ["se"]}, r"^se-cnn: block is \['se'\], expected a name"),
        ({"block": "eca", "kernel_size": 4}, "^ECA: kernel_size is 4, expected an odd number"),
        ({"block": "eca", "kernel_size": -3}, "^ECA: kernel_size -3, expected a whole number"),
        ({"block": "eca", "kernel_size": 3.0}, "kernel_size is 3.0, expected a whole number"),
        ({"block": "eca", "smallest": True}, "smallest is True, expected a whole number"),
        ({"block": "eca", "smallest": 0}, "^ECA: smallest 0, expected a whole number of at least"),
        ({"block": "scse", "merge": "mx"}, "unknown merge 'mx': did you mean 'max'"),
        ({"block": "scse", "squeeze": "none"}, "^SEBlock: unknown squeeze 'none': there are avg"),
        ({"block": "eca", **nn.PRESETS["paper"].options}, "reduction does nothing with block=eca"),
    ],
)
def test_what_a_block_cannot_be_is_one_clear_error(options, message):
    with pytest.raises(InputError, match=message):
        models.create("se-cnn", filled=False, **options)


def test_a_net_without_se_has_no_block():
    for host in ("cnn", "resnet8"):
        with pytest.raises(InputError, match=f"^{host}: unknown option 'block'"):
            models.create(host, block="se")


@pytest.mark.effect("models.create(stem_stride)")
@pytest.mark.parametrize("host", ["se-resnet8", "resnet8", "se-resnet20"])
def test_the_stride_of_the_stem_makes_all_maps_smaller_and_no_weight(host):
    usual, halved = (models.create(host, stem_stride=stride) for stride in (1, 2))
    C = models.image_shape(host)[0]
    x = np.zeros((1, C, 28, 20), np.float32)
    assert usual.conv(x).shape == (1, 16, 28, 20)
    assert halved.conv(x).shape == (1, 16, 14, 10)
    for key, value in usual.state_dict().items():
        np.testing.assert_array_equal(halved.state_dict()[key], value)
    np.testing.assert_array_equal(models.create(host).conv(x), usual.conv(x))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None, [2, 2], 2**64])
def test_the_stride_of_the_stem_is_a_whole_number(value):
    with pytest.raises(
        InputError, match=r"stem_stride is .*, expected a whole number from 1 to 65535"
    ):
        models.create("resnet8", stem_stride=value)
    with pytest.raises(InputError, match="se-cnn: unknown option 'stem_stride'"):
        models.create("se-cnn", stem_stride=2)
