"""Every preset builds the block of the package that it names."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from minise import InputError, models, nn
from minise.nn import PRESETS
from minise.nn.se import OPTIONS

RELEASED = json.loads(
    (Path(__file__).parents[1] / "oracle" / "released" / "blocks.json").read_text("utf-8")
)
CHANNELS = range(8, 4097)
# Constants of float32 in a hard sigmoid, or float32 throughout
LESS_EXACT = {"paddle": 1e-7, "paddleclas": 1e-7, "paddleclas-lcnet": 1e-7, "mindcv": 1e-6}
WITHOUT_PACKAGE = {"paper", "caffe", "seed"}  # a paper, models in Caffe, a note
WITHOUT_WIDTH = {"timm-ese", "timm-hgnet", "pytorchcv-sinet", "ultralytics"}  # one map alone


def width(preset, C):
    """For C channels that are reduced; None where none is left."""
    if preset.block is nn.ECA:
        return preset.make(C).conv.weight.value.shape[2]
    try:
        return preset.hidden(
            C * (preset.expansion or 1), reduced_from=C if preset.expansion else None
        )
    except InputError:
        return None


def test_every_preset_was_compared_with_its_released_package():
    assert set(RELEASED) == set(PRESETS) - WITHOUT_PACKAGE
    assert {name for name, of in RELEASED.items() if "widths" not in of} == WITHOUT_WIDTH
    assert {name: of["package"] for name, of in RELEASED.items()} == {
        name: PRESETS[name].package for name in RELEASED
    }


@pytest.mark.parametrize("name", RELEASED)
def test_the_block_computed_what_the_released_one_did(name):
    """With these arguments and the same random numbers, in float64 but for mindcv."""
    outputs = RELEASED[name]["outputs"]
    assert outputs["arguments"] == PRESETS[name].arguments
    assert outputs["channels"] == [72, 256]
    assert outputs["dtype"] == ("float32" if name == "mindcv" else "float64")
    assert outputs["error"] < LESS_EXACT.get(name, 1e-11)


@pytest.mark.parametrize("name", [name for name, of in RELEASED.items() if "widths" in of])
def test_the_width_is_the_released_packages_for_every_number_of_channels(name):
    """And what the package cannot build is refused."""
    released, preset = RELEASED[name]["widths"], PRESETS[name]
    widths = [None if C % released["step"] else width(preset, C) for C in CHANNELS]
    refused = {C for first, last in released["refused"] for C in range(first, last + 1)}
    assert {C: widths[C - 8] for C in map(int, released["shown"])} == {
        int(C): h for C, h in released["shown"].items()
    }
    assert {C for C, h in zip(CHANNELS, widths, strict=True) if h is None} == {
        C for C in CHANNELS if C in refused or C % released["step"]
    }
    assert hashlib.sha256(json.dumps(widths).encode()).hexdigest() == released["digest"]


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("torchvision", 24), ("timm-mobilenetv3-rw", 18), ("timm-ghostnet", 20), ("timm", 8),
        ("torchvision-efficientnet", 3),  # a quarter of 72/6
        ("torchvision-regnety", 18), ("timm-ese", None), ("timm-eca", None),
    ],
)  # fmt: skip
def test_72_channels(name, hidden):
    assert PRESETS[name].hidden(72) == hidden


def test_the_input_of_the_block_around_it_may_be_given():
    preset = PRESETS["torchvision-regnety"]
    assert preset.hidden(48, reduced_from=32) == 8
    assert preset.make(48, reduced_from=32).fc1.weight.value.shape == (8, 48)
    assert preset.input(48) == 48
    assert PRESETS["torchvision"].input(48) is None
    assert PRESETS["torchvision"].hidden(72, reduced_from=32) == 24  # not of the input


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_a_block_with_the_width_that_it_says(name):
    preset = PRESETS[name]
    block = preset.make(64, rng=np.random.default_rng(0), dtype=np.float64)
    assert isinstance(block, preset.block)
    channels = getattr(block, "channel", block)
    hidden = preset.hidden(64)
    assert hidden == (channels.fc1.weight.value.shape[0] if hasattr(channels, "fc1") else None)
    assert block(np.ones((1, 64, 2, 2))).shape == (1, 64, 2, 2)
    assert preset.package
    assert preset.source
    assert preset.weights


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("paper", 2 * 64 * 4),
        ("caffe", 2 * 64 * 4 + 4 + 64),
        ("timm", 2 * 64 * 8 + 8 + 64),
        ("torchvision", 2 * 64 * 16 + 16 + 64),
        ("seed", 2_773),
        ("timm-ese", 4_160),
    ],
)
def test_a_preset_has_the_parameters_of_its_source(name, parameters):
    block = PRESETS[name].make(64)
    assert sum(p.value.size for p in block.parameters()) == parameters


def test_a_net_keeps_no_option_of_its_own_beside_a_preset():
    """MobileNetV3's own gate is hard, and its widths are multiples of 8."""
    assert all(set(p.options) == set(OPTIONS) for p in PRESETS.values() if p.block is nn.SEBlock)
    net = models.create("se-mobilenetv3-tiny", **PRESETS["timm-regnety"].options)
    blocks = [layer for _, layer in net.named_layers() if isinstance(layer, nn.SEBlock)]
    assert blocks
    for block in blocks:
        channels = block.fc2.weight.value.shape[0]
        assert isinstance(block.gate, nn.Sigmoid)
        assert block.fc1.weight.value.shape[0] == round(channels / 4)


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if p.block is not nn.SEBlock])
def test_a_net_has_the_relative_of_a_preset_just_as_a_block_has_it(name):
    """The net's own gate is hard, and its widths are multiples of 8."""
    net = models.create("se-mobilenetv3-tiny", **PRESETS[name].options)
    blocks = [layer for _, layer in net.named_layers() if type(layer) is PRESETS[name].block]
    assert len(blocks) == 3
    for block, channels in zip(blocks, (16, 72, 96), strict=True):
        alone = PRESETS[name].make(channels)
        assert str(block) == str(alone)
    residual = nn.Residual(16, 16, se=PRESETS[name].make)
    assert isinstance(residual.se, PRESETS[name].block)


def test_a_hidden_width_can_be_asked_for_alone():
    assert nn.hidden_width(72, 4, "torchvision") == 24
    with pytest.raises(InputError, match=r"^hidden_width: a reduction of 16 leaves no hidden unit"):
        nn.hidden_width(8)
