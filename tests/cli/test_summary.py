"""`minise summary` and `minise models`."""

import pytest

from minise import models


def cells(out):
    """Of the lines of a table."""
    lines = [line for line in out.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


@pytest.mark.effect("minise summary MODEL")
def test_the_seed_is_the_block_that_the_project_started_from(minise):
    code, out, err = minise("summary", "seed")
    assert (code, err) == (0, "")
    assert "MaxPool2d-1             [-1, 64, 1, 1]               0\n" in out
    assert "Total params: 2,773\n" in out
    assert "Input size (MB): 4.00\n" in out


@pytest.mark.effect("minise summary --full")
def test_full_adds_what_the_classic_table_leaves_out(minise):
    assert "Mult-Adds" not in minise("summary", "se-cnn")[1]
    _, out, _ = minise("summary", "se-cnn", "--full")
    assert "Scale-8            [-1, 8, 28, 28]               0               0\n" in out
    assert "Multiply-adds: 290,240\n" in out


@pytest.mark.effect("minise summary --input")
def test_the_shape_of_an_image_is_channels_height_width(minise):
    _, out, _ = minise("summary", "se-resnet8", "--input", "3,20,24")
    assert out.splitlines()[3].split() == [
        "Conv2d-1",
        "[-1,",
        "16,",
        "20,",
        "24]",
        "432",
    ]  # 3·3·3·16


def test_without_a_shape_it_is_that_of_the_images_the_net_was_made_for(minise, monkeypatch):
    monkeypatch.setattr(models, "image_shape", lambda name: (1, 36, 20))
    _, out, _ = minise("summary", "se-resnet8")
    assert out.splitlines()[3].split() == ["Conv2d-1", "[-1,", "16,", "36,", "20]", "144"]


@pytest.mark.effect("minise summary --compare")
def test_the_first_net_is_compared_with_the_other(minise):
    code, out, _ = minise("summary", "se-cnn", "--compare", "cnn")
    assert code == 0
    assert out.splitlines()[1].replace("┃", " ").split() == [
        "image", "of", "1×28×28", "se-cnn", "cnn", "difference",
    ]  # fmt: skip
    assert cells(out)[:3] == [
        ["parameters", "9,288", "9,098", "+190", "+2.09%"],
        ["multiply-adds", "290,240", "290,080", "+160", "+0.06%"],
        ["squeeze and scale", "18,816", "0", "+18,816", ""],  # 2 · (8 · 28² + 16 · 14²)
    ]


def test_one_net_is_compared_in_two_presets(minise):
    code, out, err = minise("summary", "se-resnet8:torchvision", "--compare", "se-resnet8:caffe")
    assert (code, err) == (0, "")
    assert cells(out)[0][:4] == ["parameters", "80,714", "78,545", "+2,169"]
    assert ["block3.se.fc1", "1,040", "260", "1,024", "256"] in cells(out)  # 64 → 16, and 4
    assert "gate is HardSigmoid() in torchvision, Sigmoid() in caffe (3 times)\n" in out


def test_a_net_may_be_compared_with_itself_in_a_preset(minise):
    _, out, _ = minise("summary", "se-resnet8", "--compare", "se-resnet8:caffe")
    assert out.splitlines()[1].replace("┃", " ").split()[3:6] == ["its", "own", "caffe"]


def test_a_preset_is_that_of_the_layers_too(minise):
    _, out, _ = minise("summary", "se-resnet8:timm")
    linear = [line.split()[2:] for line in out.splitlines() if "Linear" in line]
    assert linear[0] == ["8]", "136"]  # 16 channels, 8 hidden units where others have 4


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet8:timm", "resnet8:timm: resnet8 has no SE blocks, which 'timm' could build other"),
        ("se-resnet8:tim", "unknown preset 'tim': did you mean 'timm'"),
        ("se-resnet8:", "unknown preset '': see minise presets for all"),
        ("se-resnet9:timm", "unknown model 'se-resnet9': did you mean"),
    ],
)
def test_a_preset_that_does_not_fit_is_one_clear_error(minise, model, message):
    code, out, err = minise("summary", model)
    assert (code, out) == (1, "")
    assert message in err.replace("\n", " ")


@pytest.mark.effect("minise summary --option")
def test_options_are_those_of_the_first_net(minise):
    assert (
        minise("summary", "se-resnet8:paper", "--option", "bias=true")[1]
        != (minise("summary", "se-resnet8:paper")[1])
    )
    code, out, err = minise(
        "summary", "se-resnet8", "--option", "block=eca", "--option", "kernel_size=5",
        "--compare", "se-resnet8",
    )  # fmt: skip
    assert (code, err) == (0, "")
    # 77,754 without any block, three kernels of five channels
    assert cells(out)[0][:4] == ["parameters", "77,769", "80,582", "-2,813"]
    assert ["block3.se.conv", "5", "–", "320", "–"] in cells(out)
    options = ["--option", "stem_stride=2", "--compare", "resnet8"]
    found = cells(minise("summary", "se-resnet8", *options)[1])
    assert found[0] == ["parameters", "80,582", "77,754", "+2,828", "+3.64%"]
    assert found[1][1] < found[1][2]


def test_a_preset_may_be_a_relative_of_se(minise):
    code, out, err = minise("summary", "se-resnet8:timm-eca", "--compare", "se-resnet8:smp")
    assert (code, err) == (0, "")
    # smp's reduction is 16: 1, 2 and 4 hidden units, and a map of all channels to one pixel
    assert cells(out)[0][:3] == ["parameters", "77,763", "78,660"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["se-resnet8", "--option", "block"], "--option 'block', expected NAME=VALUE"),
        (["se-resnet8", "--option", "block=ec"], "se-resnet8: unknown block 'ec': did you mean"),
        (["se-resnet8", "--option", "in_channels=3"], "unknown option 'in_channels'"),
        (["resnet8", "--option", "block=eca"], "resnet8: unknown option 'block'"),
        (["se-resnet8:timm", "--option", "block=eca"], "reduction does nothing with block=eca"),
        (["seed", "--option", "bias=false"], "--option is for nets: seed is a block"),
    ],
)
def test_an_option_that_the_net_cannot_have_is_one_clear_error(minise, words, message):
    code, out, err = minise("summary", *words)
    assert (code, out) == (1, "")
    assert message in " ".join(err.split())


@pytest.mark.effect("minise models PART")
def test_nets_are_listed_with_their_parameters_and_images(minise, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert cells(minise("models", "se-cnn")[1]) == [
        ["se-cnn", "9,288", "1×28×28", models.about("se-cnn")],
        ["se-cnn3", "10,662", "1×28×28", models.about("se-cnn3")],
    ]
    listed = {row[0]: row[1:3] for row in cells(minise("models")[1])}
    assert list(listed) == list(models.names())
    assert listed["se-resnet50"] == ["28,088,024", "3×224×224"]
