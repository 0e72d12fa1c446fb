"""Each net layer by layer, as its paper or its docstring has it: shapes, windows, parameters."""

import numpy as np
import pytest

from minise import models, nn

# The layers that give maps of one size, one after the other: what a stage of the net consists of;
# and all parameters.
OUTLINES = {
    "cnn": (
        """8×28×28: Conv2d ReLU
        8×14×14: MaxPool2d
        16×14×14: Conv2d ReLU
        16×7×7: MaxPool2d
        784: Flatten
        10: Linear""",
        9 * (8 + 8 * 16) + 24 + 7850,
    ),
    "se-cnn": (
        """8×28×28: Conv2d ReLU SEBlock
        8×14×14: MaxPool2d
        16×14×14: Conv2d ReLU SEBlock
        16×7×7: MaxPool2d
        784: Flatten
        10: Linear""",
        9_288,
    ),
    "se-cnn3": (
        """8×28×28: Conv2d
        8×14×14: MaxPool2d BatchNormReLU2d
        16×14×14: Conv2d
        16×5×5: MaxPool2d BatchNorm2d SEBlock ReLU
        40×5×5: Conv2d
        40×2×2: MaxPool2d BatchNorm2d SEBlock ReLU
        160: Flatten
        10: Linear""",
        10_662,
    ),
    "se-resnet8": (
        """16×28×28: Conv2d BatchNormReLU2d Residual
        32×14×14: Residual
        64×7×7: Residual
        64: GlobalAvgPool
        10: Linear""",
        80_582,
    ),
    "resnet14": (
        """16×28×28: Conv2d BatchNormReLU2d 2·Residual
        32×14×14: 2·Residual
        64×7×7: 2·Residual
        64: GlobalAvgPool
        10: Linear""",
        # 3×3 convolutions of 1, four of 16, 16, three of 32, 32, three of 64; and the shortcuts
        9 * (16 + 4 * 16**2 + 16 * 32 + 3 * 32**2 + 32 * 64 + 3 * 64**2) + 512 + 2048
        + 2 * (5 * 16 + 5 * 32 + 5 * 64) + 650,
    ),
    "inception-tiny": (
        """16×28×28: Sequential
        16×14×14: MaxPool2d
        56×14×14: Inception
        88×14×14: Inception
        88×7×7: MaxPool2d
        112×7×7: Inception
        112: GlobalAvgPool
        10: Linear""",
        # the stem; each module 1×1, 1×1 and 3×3, 1×1 and 5×5, 1×1; the norms of 364 maps
        144 + 16 * 16 + 16 * 16 + 9 * 16 * 24 + 16 * 4 + 25 * 4 * 8 + 16 * 8
        + 56 * 24 + 56 * 24 + 9 * 24 * 32 + 56 * 8 + 25 * 8 * 16 + 56 * 16
        + 88 * 32 + 88 * 32 + 9 * 32 * 48 + 88 * 8 + 25 * 8 * 16 + 88 * 16 + 2 * 364 + 1130,
    ),
    "mobilenet-tiny": (
        """16×28×28: Sequential
        32×28×28: Sequential
        64×14×14: 2·Sequential
        128×7×7: Sequential
        128: GlobalAvgPool
        10: Linear""",
        9 * (16 + 16 + 32 + 64 + 64) + 16 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 2 * 480 + 1290,
    ),
    "se-vgg-tiny": (
        """16×28×28: Sequential SEBlock Sequential SEBlock
        16×14×14: MaxPool2d
        32×14×14: Sequential SEBlock Sequential SEBlock
        32×7×7: MaxPool2d
        64×7×7: Sequential SEBlock Sequential SEBlock
        64: GlobalAvgPool
        10: Linear""",
        9 * (16 + 16**2 + 16 * 32 + 32**2 + 32 * 64 + 64**2) + 2 * 224 + 650
        + 2 * (2 * 16 * 4 + 20 + 2 * 32 * 8 + 40 + 2 * 64 * 16 + 80),
    ),
    "vgg-8k": (
        """8×28×28: 3·Sequential
        8×14×14: MaxPool2d
        10×14×14: 2·Sequential
        12×14×14: Sequential
        12×7×7: MaxPool2d
        14×7×7: 2·Sequential
        14: GlobalAvgPool
        10: Linear""",
        9 * (8 + 2 * 8**2 + 8 * 10 + 10**2 + 10 * 12 + 12 * 14 + 14**2) + 2 * 84 + 150,
    ),
    "vgg-18k": (
        """6×28×28: Sequential
        6×14×14: MaxPool2d
        12×14×14: 3·Sequential
        12×7×7: MaxPool2d
        24×7×7: 3·Sequential
        24: GlobalAvgPool
        10: Linear""",
        9 * (6 + 6 * 12 + 2 * 12**2 + 12 * 24 + 2 * 24**2) + 2 * 114 + 250,
    ),
    "vgg-127k": (
        """16×28×28: 2·Sequential
        16×14×14: MaxPool2d
        32×14×14: 3·Sequential
        32×7×7: MaxPool2d
        64×7×7: 3·Sequential
        64: GlobalAvgPool
        10: Linear""",
        9 * (16 + 16**2 + 16 * 32 + 2 * 32**2 + 32 * 64 + 2 * 64**2) + 2 * 320 + 650,
    ),
    "resnet110": (
        """16×32×32: Conv2d BatchNormReLU2d 18·Residual
        32×16×16: 18·Residual
        64×8×8: 18·Residual
        64: GlobalAvgPool
        10: Linear""",
        9 * (3 * 16 + 36 * 16**2 + 16 * 32 + 35 * 32**2 + 32 * 64 + 35 * 64**2) + 512 + 2048
        + 2 * 37 * (16 + 32 + 64) + 650,
    ),
    "resnet164": (
        """16×32×32: Conv2d BatchNormReLU2d
        64×32×32: 18·Bottleneck
        128×16×16: 18·Bottleneck
        256×8×8: 18·Bottleneck
        256: GlobalAvgPool
        10: Linear""",
        1_704_154,
    ),
    "resnet18": (
        """64×112×112: Conv2d BatchNormReLU2d
        64×56×56: MaxPool2d 2·Residual
        128×28×28: 2·Residual
        256×14×14: 2·Residual
        512×7×7: 2·Residual
        512: GlobalAvgPool
        1000: Linear""",
        11_689_512,
    ),
    "resnet50": (
        """64×112×112: Conv2d BatchNormReLU2d
        64×56×56: MaxPool2d
        256×56×56: 3·Bottleneck
        512×28×28: 4·Bottleneck
        1024×14×14: 6·Bottleneck
        2048×7×7: 3·Bottleneck
        2048: GlobalAvgPool
        1000: Linear""",
        25_557_032,
    ),
    "mobilenet": (
        """32×112×112: Sequential
        64×112×112: Sequential
        128×56×56: 2·Sequential
        256×28×28: 2·Sequential
        512×14×14: 6·Sequential
        1024×7×7: 2·Sequential
        1024: GlobalAvgPool
        1000: Linear""",
        4_231_976,
    ),
    "mobilenetv3-large": (
        """16×112×112: Sequential InvertedResidual
        24×56×56: 2·InvertedResidual
        40×28×28: 3·InvertedResidual
        80×14×14: 4·InvertedResidual
        112×14×14: 2·InvertedResidual
        160×7×7: 3·InvertedResidual
        960×7×7: Sequential
        960: GlobalAvgPool
        1280: Linear HardSwish Dropout
        1000: Linear""",
        3_970_752,
    ),
    "se-mobilenetv3-small": (
        """16×112×112: Sequential
        16×56×56: InvertedResidual
        24×28×28: 2·InvertedResidual
        40×14×14: 3·InvertedResidual
        48×14×14: 2·InvertedResidual
        96×7×7: 3·InvertedResidual
        576×7×7: Sequential
        576: GlobalAvgPool
        1024: Linear HardSwish Dropout
        1000: Linear""",
        2_542_856,
    ),
    "se-efficientnet-b0": (
        """32×112×112: Sequential
        16×112×112: InvertedResidual
        24×56×56: 2·InvertedResidual
        40×28×28: 2·InvertedResidual
        80×14×14: 3·InvertedResidual
        112×14×14: 3·InvertedResidual
        192×7×7: 4·InvertedResidual
        320×7×7: InvertedResidual
        1280×7×7: Sequential
        1280: GlobalAvgPool Dropout
        1000: Linear""",
        5_288_548,
    ),
    "se-regnety-400mf": (
        """32×112×112: Sequential
        48×56×56: Bottleneck
        104×28×28: 3·Bottleneck
        208×14×14: 6·Bottleneck
        440×7×7: 6·Bottleneck
        440: GlobalAvgPool
        1000: Linear""",
        4_344_144,
    ),
    "mobilenetv3-tiny": (
        """16×14×14: Sequential InvertedResidual
        24×14×14: InvertedResidual
        32×7×7: 2·InvertedResidual
        96×7×7: Sequential
        96: GlobalAvgPool
        128: Linear HardSwish
        10: Linear""",
        9 * 16 + 9 * 16 + 16 * 16
        + 16 * 64 + 9 * 64 + 64 * 24
        + 24 * 72 + 25 * 72 + 72 * 32
        + 32 * 96 + 25 * 96 + 96 * 32 + 32 * 96
        + 2 * (16 + 16 + 16 + 2 * 64 + 24 + 2 * 72 + 32 + 2 * 96 + 32 + 96)
        + 96 * 128 + 128 + 1290,
    ),
    "efficientnet-tiny": (
        """16×14×14: Sequential InvertedResidual
        24×14×14: InvertedResidual
        32×7×7: 2·InvertedResidual
        128×7×7: Sequential
        128: GlobalAvgPool
        10: Linear""",
        9 * 16 + 9 * 16 + 16 * 16
        + 16 * 64 + 9 * 64 + 64 * 24
        + 24 * 96 + 25 * 96 + 96 * 32
        + 32 * 128 + 25 * 128 + 128 * 32 + 32 * 128
        + 2 * (16 + 16 + 16 + 2 * 64 + 24 + 2 * 96 + 32 + 2 * 128 + 32 + 128) + 1290,
    ),
    "bn-inception": (
        """64×112×112: Sequential
        64×56×56: MaxPool2d
        192×56×56: Sequential
        192×28×28: MaxPool2d
        256×28×28: Inception
        320×28×28: Inception
        576×14×14: 3·Inception
        608×14×14: 2·Inception
        1056×7×7: Inception
        1024×7×7: 2·Inception
        1024: GlobalAvgPool
        1000: Linear""",
        11_285_224,
    ),
}  # fmt: skip


def outline(net, image):
    """The layers of the net, and the blocks of its stages, by the shape of what they give."""
    seen = []

    def watch(name, layer, x, training):
        y, backward = layer.forward(x, training)
        stage, *within = name.split(".")
        if stage and len(within) == stage.startswith(("layer", "stage")):  # as in layer1.0
            seen.append((" ".join(map(str, y.shape[1:])).replace(" ", "×"), type(layer).__name__))
        return y, backward

    nn.observed(net, watch)(np.zeros((0, *image), np.float32))  # no image takes no time
    lines = []
    for shape, kind in seen:
        if not lines or lines[-1][0] != shape:
            lines.append((shape, []))
        runs = lines[-1][1]
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1])
    return "\n".join(
        f"{shape}: " + " ".join(kind if n == 1 else f"{n}·{kind}" for kind, n in runs)
        for shape, runs in lines
    )


@pytest.mark.effect("models.create(name)")
@pytest.mark.parametrize("name", OUTLINES)
def test_the_layers_of_a_net_are_those_of_its_outline(name):
    expected, parameters = OUTLINES[name]
    net = models.create(name, filled=False)
    assert outline(net, models.image_shape(name)) == expected.replace("        ", "")
    assert sum(p.value.size for p in net.parameters()) == parameters


# Size, stride and padding of each pooling in forward order.
TWO, THREE, SAME = ("Max", 2, 2, 0), ("Max", 3, 3, 1), ("Max", 3, 1, 1)
HALF, AVERAGE = ("Max", 3, 2, 1), ("Avg", 3, 1, 1)
WINDOWS = {
    "se-cnn": 2 * [TWO],
    "se-cnn3": [TWO, THREE, THREE],
    "inception-tiny": [TWO, SAME, SAME, TWO, SAME],
    "vgg-tiny": 2 * [TWO],
    "resnet50": [HALF],
    "bn-inception": [
        HALF, HALF, AVERAGE, AVERAGE, HALF, *4 * [AVERAGE], HALF, AVERAGE, SAME,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_the_poolings_of_a_net_have_these_windows(name):
    net = models.create(name, filled=False)
    pools = [p for _, p in net.named_layers() if isinstance(p, nn.MaxPool2d | nn.AvgPool2d)]
    found = []
    for pool in pools:
        size, stride, padding, _ = pool.window
        assert size[0] == size[1]
        found.append((type(pool).__name__[:3], size[0], stride[0], padding[0]))
        assert not pool.ceil_mode
    assert found == WINDOWS[name]


def test_the_stride_of_a_separable_convolution_is_that_of_its_depthwise_half():
    net = models.create("mobilenet-tiny")
    halves = [
        (block.depthwise.conv.stride, block.depthwise.conv.groups, block.pointwise.conv.stride)
        for name, block in net.children()
        if name.startswith("block")
    ]
    assert halves == [
        ((1, 1), 16, (1, 1)), ((2, 2), 32, (1, 1)), ((1, 1), 64, (1, 1)), ((2, 2), 64, (1, 1)),
    ]  # fmt: skip


def test_senet154_has_the_dropout_and_the_groups_of_its_paper():
    net = models.create("senet154", filled=False)
    assert net.dropout.p == 0.2
    first = dict(dict(net.children())["layer2"].children())["0"]
    assert first.conv2.groups == 64
    assert first.shortcut.parameters()[0].value.shape == (512, 256, 3, 3)
    resnext = dict(models.create("resnext50-32x4d", filled=False).layer1.children())["0"]
    assert (resnext.conv2.groups, resnext.conv2.weight.value.shape) == (32, (128, 4, 3, 3))


def details(net):
    """Kernel, width and activation of each inverted residual, the hidden width of its SE."""
    found = []
    for _, block in net.named_layers():
        if isinstance(block, nn.InvertedResidual):
            F, _, kernel, _ = block.depthwise.conv.weight.value.shape
            act = getattr(block.depthwise, "act", None)
            hidden = block.se.fc1.weight.value.shape[0] if hasattr(block, "se") else 0
            found.append((kernel, F, type(act).__name__ if act else "ReLU", hidden))
    return found


def test_the_blocks_of_mobilenetv3_large_are_those_of_its_table():
    relu = [
        (3, 16, "ReLU", 0), (3, 64, "ReLU", 0), (3, 72, "ReLU", 0), (5, 72, "ReLU", 24),
        (5, 120, "ReLU", 32), (5, 120, "ReLU", 32),
    ]  # fmt: skip
    hard = [
        (3, 240, 0), (3, 200, 0), (3, 184, 0), (3, 184, 0), (3, 480, 120), (3, 672, 168),
        (5, 672, 168), (5, 960, 240), (5, 960, 240),
    ]  # fmt: skip
    net = models.create("se-mobilenetv3-large", filled=False)
    assert details(net) == relu + [(k, width, "HardSwish", h) for k, width, h in hard]


def test_the_gates_of_mobilenetv3_are_hard_and_its_norms_slow():
    net = models.create("se-mobilenetv3-small", filled=False)
    gates = [layer.gate for _, layer in net.named_layers() if isinstance(layer, nn.SEBlock)]
    assert {(type(gate), gate.width) for gate in gates} == {(nn.HardSigmoid, 6)}
    norms = [layer for _, layer in net.named_layers() if isinstance(layer, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}
    assert net.dropout.p == 0.2


@pytest.mark.effect("models.create(norm_eps)", "models.create(norm_momentum)")
@pytest.mark.parametrize("name", ["se-mobilenetv3-small", "mobilenetv3-tiny"])
def test_all_norms_of_mobilenetv3_can_be_those_of_others(name):
    net = models.create(name, filled=False, norm_eps=2e-5, norm_momentum=0.3)
    norms = [layer for _, layer in net.named_layers() if isinstance(layer, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(2e-5, 0.3)}


def test_efficientnet_reduces_the_input_of_a_block_and_drops_the_later_ones_more():
    net = models.create("se-efficientnet-b0", filled=False)
    blocks = [b for _, b in net.named_layers() if isinstance(b, nn.InvertedResidual)]
    assert details(net) == [
        (3, 32, "SiLU", 8), (3, 96, "SiLU", 4), (3, 144, "SiLU", 6), (5, 144, "SiLU", 6),
        (5, 240, "SiLU", 10), (3, 240, "SiLU", 10), *2 * [(3, 480, "SiLU", 20)],
        (5, 480, "SiLU", 20), *2 * [(5, 672, "SiLU", 28)], (5, 672, "SiLU", 28),
        *3 * [(5, 1152, "SiLU", 48)], (3, 1152, "SiLU", 48),
    ]  # fmt: skip
    assert {type(block.se.activation) for block in blocks} == {nn.SiLU}
    dropped = {k: block.drop_path.p for k, block in enumerate(blocks) if block.adds_input}
    assert dropped == pytest.approx({k: 0.2 * k / 16 for k in (2, 4, 6, 7, 9, 10, 12, 13, 14)})
    assert net.dropout.p == 0.2


def test_regnety_reduces_the_input_of_a_block_behind_the_3x3_convolution():
    net = models.create("se-regnety-400mf", filled=False)
    blocks = [b for _, b in net.named_layers() if isinstance(b, nn.Bottleneck)]
    assert [block.se.fc1.weight.value.shape[0] for block in blocks] == [
        8, 12, 26, 26, 26, *6 * [52], *5 * [110],
    ]  # fmt: skip
    assert {block.placement for block in blocks} == {"3x3"}
    assert [block.conv2.groups for block in blocks] == [6, *3 * [13], *6 * [26], *6 * [55]]
    strides = [(b.conv1.stride[0], b.conv2.stride[0]) for b in blocks]
    assert strides == [
        (1, 2), (1, 2), (1, 1), (1, 1), *2 * [(1, 2), *5 * [(1, 1)]],
    ]  # fmt: skip
