import pytest

from minise import models


@pytest.mark.parametrize(
    ("naming", "net", "ours", "theirs"),
    [
        ("timm", "se-resnet18", "layer1.0.shortcut.0.weight", "layer1.0.downsample.0.weight"),
        ("timm", "se-resnet18", "layer1.0.se.fc1.bias", "layer1.0.se.fc1.bias"),
        ("timm", "senet154", "conv2.weight", "conv1.3.weight"),
        ("timm", "senet154", "bn1.running_var", "conv1.1.running_var"),
        ("timm", "senet154", "bn3.bias", "bn1.bias"),
        ("timm", "senet154", "layer1.0.bn3.bias", "layer1.0.bn3.bias"),
        ("timm", "se-mobilenetv3-large", "block1.project.bn.bias", "blocks.0.0.bn2.bias"),
        ("timm", "se-mobilenetv3-large", "block4.se.fc2.bias", "blocks.2.0.se.conv_expand.bias"),
        ("timm", "se-efficientnet-b0", "stage7.0.expand.conv.weight", "blocks.6.0.conv_pw.weight"),
        ("timm", "se-regnety-400mf", "stage4.5.bn2.bias", "s4.b6.conv2.bn.bias"),
        (
            "torchvision", "se-mobilenetv3-large", "block1.project.bn.bias",
            "features.1.block.1.1.bias",
        ),
        (
            "torchvision", "se-efficientnet-b0", "stage2.1.se.fc1.bias",
            "features.2.1.block.2.fc1.bias",
        ),
        (
            "torchvision", "se-regnety-400mf", "stage2.1.conv3.weight",
            "trunk_output.block2.block2-1.f.c.0.weight",
        ),
        ("moskomule", "se-resnet50", "layer4.2.se.fc2.weight", "layer4.2.se.fc.2.weight"),
        ("moskomule", "se-resnet20", "block4.bn1.weight", "layer2.0.bn1.weight"),
        ("cadene", "se-resnet50", "conv1.weight", "layer0.conv1.weight"),
        ("cadene", "se-resnet50", "layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("cadene", "se-resnet50", "layer2.1.se.fc2.bias", "layer2.1.se_module.fc2.bias"),
        ("cadene", "se-resnet50", "fc.bias", "last_linear.bias"),
        (
            "pytorchcv", "se-resnet18", "layer2.0.bn2.bias",
            "features.stage2.unit1.body.conv2.bn.bias",
        ),
        (
            "pytorchcv", "se-efficientnet-b0", "stage5.2.se.fc1.bias",
            "features.stage4.unit6.se.conv1.bias",
        ),
        (
            "transformers", "resnet50", "layer1.2.conv3.weight",
            "resnet.encoder.stages.0.layers.2.layer.2.convolution.weight",
        ),
    ],
)  # fmt: skip
def test_a_name_is_theirs(naming, net, ours, theirs):
    assert models.NAMINGS[naming].family(net).to_theirs(ours) == theirs


def outlines():
    for naming, library in models.NAMINGS.items():
        for family in library.families:
            # the largest of a family has all the names of the others
            yield pytest.param(
                family, list(family.nets)[-1], id=f"{naming}-{list(family.nets)[-1]}"
            )


@pytest.mark.parametrize(("family", "name"), list(outlines()))
def test_no_two_names_become_one(family, name):
    options = {k: v for k, v in family.options.items() if models.has_option(name, k)}
    ours = [ours for ours, _ in models.create(name, filled=False, **options).named_state()]
    assert len({family.to_theirs(name) for name in ours}) == len(ours)


def test_the_options_of_a_family_are_those_of_one_of_its_nets():
    for library in models.NAMINGS.values():
        for family in library.families:
            for option in family.options:
                assert any(models.has_option(name, option) for name in family.nets)


def test_no_net_of_a_library_is_in_two_families_and_none_is_refused_as_well():
    for library in models.NAMINGS.values():
        names = [name for family in library.families for name in family.nets]
        assert len(set(names)) == len(names)
        assert set(names) <= set(models.names())
        assert not set(names) & set(library.refused)


def test_linear_maps_are_convolutions_where_theirs_are():
    for naming, shape in (("timm", (64, 8, 1, 1)), ("moskomule", (64, 4))):
        family = models.NAMINGS[naming].family("se-resnet18")
        net = models.create("se-resnet18", filled=False, **family.options)
        state = family.state_of_theirs(net.state_dict())
        of_se = [v.shape for name, v in state.items() if name.startswith("layer1.0.se")]
        assert of_se.count(shape) == 1
        assert state["fc.weight"].shape == (1000, 512)
    head = models.NAMINGS["timm"].family("se-mobilenetv3-small")
    net = models.create("se-mobilenetv3-small", filled=False)
    assert head.state_of_theirs(net.state_dict())["conv_head.weight"].shape == (1024, 576, 1, 1)
