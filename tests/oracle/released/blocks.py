"""The hidden width that a released package gives its SE block, read from what it builds.

Run by `widths.py`, in an environment that has the packages: `python blocks.py PRESET…` prints, for
each preset, its width for every C from 8 to 4096, or null where the package refuses it or builds a
block that fails. C is the number of channels that the package reduces. Nothing is computed: PyTorch
builds on its meta device, and where there is none, the package is given a stand-in for its
convolutions that notes how many filters were asked for.
"""

import contextlib
import importlib.util
import inspect
import json
import os
import sys
import types

CHANNELS = range(8, 4097)

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def found(path):
    """As in "timm.layers.SEModule"."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def built(path, *more, at, named="out_channels", **options):
    """Of `path(C, *more, **options)`, the width at `at`, as in "fc1" or "layers.1.0"."""

    def read(C):
        return getattr(part(found(path)(C, *more, **options), at), named)

    return read


def part(block, at):
    for name in at.split("."):
        block = block[int(name)] if name.isdecimal() else getattr(block, name)
    return block


class Noted:
    """A layer that only notes the arguments that it was made from."""

    def __init__(self, made, position):
        self.made, self.position = made, position

    def __call__(self, *arguments, **options):
        sizes = [
            options[name] for name in ("filters", "out_channels", "out_features") if name in options
        ]
        self.made.append((sizes or [arguments[self.position]])[0])
        return lambda x: x


@contextlib.contextmanager
def noted(module, *names, position):
    """Within it, layers of these names note their width, which is the argument at `position`."""
    made, module = [], importlib.import_module(module)
    before = {name: getattr(module, name) for name in names}
    for name in names:
        setattr(module, name, Noted(made, position))
    yield made
    for name, value in before.items():
        setattr(module, name, value)


def in_paddleclas(path, *more, layer="Conv2D", **options):
    def read(C):
        make = found(f"paddleclas.ppcls.arch.backbone.{path}")
        with noted(make.__module__, layer, position=1) as made:
            make(C, *more, **options)
        return made[0]

    return read


def paddleclas_rexnet(C):
    make = found("paddleclas.ppcls.arch.backbone.model_zoo.rexnet.SE")
    return make(C, C).fc[0]._out_channels


def timm_mobilenetv3(variant, make):
    def read(C):
        module = importlib.import_module("timm.models.mobilenetv3")
        create, module._create_mnv3 = module._create_mnv3, lambda *_, **options: options
        se = getattr(module, make)(variant, 1.0)["se_layer"]
        module._create_mnv3 = create
        return se(C, rd_ratio=0.25).conv_reduce.out_channels

    return read


def timm_efficientnet(C):
    from timm.models._efficientnet_blocks import SqueezeExcite
    from timm.models._efficientnet_builder import EfficientNetBuilder, decode_arch_def
    from torch import nn

    builder = EfficientNetBuilder(
        32, round_chs_fn=lambda c: c, act_layer=nn.SiLU, norm_layer=nn.BatchNorm2d,
        se_layer=SqueezeExcite,
    )  # fmt: skip
    (stage,) = builder(C, decode_arch_def([[f"ir_r1_k3_s1_e6_c{C}_se0.25"]]))
    se = stage[0].se
    if se.conv_expand.out_channels != 6 * C:  # it rounds 6 · C itself to a multiple of 8
        raise ValueError
    return se.conv_reduce.out_channels


def timm_regnety(C):
    block = found("timm.models.regnet.Bottleneck")
    return block(C, C, group_size=C, se_ratio=0.25).se.fc1.out_channels


def timm_ghostnet(C):
    return found("timm.models.ghostnet._SE_LAYER")(C, rd_ratio=0.25).conv_reduce.out_channels


def torchvision_mobilenetv3(C):
    from torch import nn
    from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig

    config = InvertedResidualConfig(C, 3, C, C, True, "RE", 1, 1, 1.0)
    config.input_channels = config.expanded_channels = config.out_channels = C
    return InvertedResidual(config, nn.BatchNorm2d).block[1].fc1.out_channels


def torchvision_efficientnet(C):
    from torch import nn
    from torchvision.models.efficientnet import MBConv, MBConvConfig

    config = MBConvConfig(6, 3, 1, 8, 8, 1)
    config.input_channels = config.out_channels = C
    return MBConv(config, 0.0, nn.BatchNorm2d).block[2].fc1.out_channels


def torchvision_regnety(C):
    from torch import nn
    from torchvision.models.regnet import BottleneckTransform

    return BottleneckTransform(C, C, 1, nn.BatchNorm2d, nn.ReLU, C, 1.0, 0.25).se.fc1.out_channels


def efficientnet_pytorch(C):
    from efficientnet_pytorch.model import MBConvBlock
    from efficientnet_pytorch.utils import BlockArgs, efficientnet

    _, settings = efficientnet(image_size=224)
    return MBConvBlock(BlockArgs(1, 3, [1], 6, C, C, 0.25, True), settings)._se_reduce.out_channels


def transformers_efficientnet(C):
    from transformers import EfficientNetConfig
    from transformers.models.efficientnet.modeling_efficientnet import (
        EfficientNetSqueezeExciteLayer,
    )

    return EfficientNetSqueezeExciteLayer(EfficientNetConfig(), C, 6 * C, True).dim_se


def transformers_regnety(C):
    from transformers import RegNetConfig
    from transformers.models.regnet.modeling_regnet import RegNetYLayer

    layer = RegNetYLayer(RegNetConfig(groups_width=C), C, C)
    return layer.layer[2].attention[0].out_channels


def in_speechbrain(path, *more, at, named="out_channels"):
    def read(C):
        sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))  # for sounds alone
        return built(f"speechbrain.lobes.models.{path}", *more, at=at, named=named)(C)

    return read


def fuxictr(C):
    """From its file: the package wants much that the block does not."""
    (folder,) = importlib.util.find_spec("fuxictr").submodule_search_locations
    path = f"{folder}/pytorch/layers/attentions/squeeze_excitation.py"
    spec = importlib.util.spec_from_file_location("squeeze_excitation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SqueezeExcitation(C).excitation[0].out_features


def speechbrain(C):
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
    module = "speechbrain.lobes.models.ECAPA_TDNN"
    hidden = inspect.signature(found(f"{module}.ECAPA_TDNN")).parameters["se_channels"].default
    return found(f"{module}.SEBlock")(C, hidden, C).conv1.conv.out_channels


def keras_mobilenetv3(C):
    import keras
    from keras.src.applications.mobilenet_v3 import _se_block

    with noted("keras.src.layers", "Conv2D", position=0) as made:
        _se_block(keras.Input((1, 1, C)), C, 0.25, "")
    return made[0]


def keras_efficientnet(C):
    import keras
    from keras.src.applications.efficientnet import block

    with noted("keras.src.layers", "Conv2D", position=0) as made:
        block(keras.Input((4, 4, C)), filters_in=C, filters_out=C, expand_ratio=1, se_ratio=0.25)
    return made[0]


class Layers:
    """tf_keras.layers with a Conv2D that is noted, and nothing multiplied."""

    def __init__(self, made):
        self.Conv2D, self.Multiply = Noted(made, 0), lambda **_: lambda xs: xs[0]

    def __getattr__(self, name):
        return getattr(importlib.import_module("tf_keras").layers, name)


def kecam(C):
    import tf_keras
    from keras_cv_attention_models import common_layers

    common_layers.layers = Layers(made := [])
    common_layers.se_module(tf_keras.Input((1, 1, C)))
    return made[0]


def image_classifiers(C):
    import tf_keras
    from classification_models.models._common_blocks import ChannelSE

    of_keras = {
        "backend": tf_keras.backend, "layers": Layers(made := []), "models": tf_keras.models,
        "utils": tf_keras.utils,
    }  # fmt: skip
    ChannelSE(16, **of_keras)(tf_keras.Input((1, 1, C)))
    return made[0]


def keras_cv(C):
    return found("keras_cv.layers.SqueezeAndExcite2D")(C).bottleneck_filters


def paddle(C):
    module = importlib.import_module("paddle.vision.models.mobilenetv3")
    made = []
    make, module.SqueezeExcitation = module.SqueezeExcitation, Noted(made, 1)
    conv, module.ConvNormActivation = module.ConvNormActivation, Noted([], 1)
    module.InvertedResidual(C, C, C, 3, 1, True, "relu", None)
    module.SqueezeExcitation, module.ConvNormActivation = make, conv
    return made[0]


def mindcv(C):
    importlib.import_module("mindcv.models.layers")
    with noted("mindspore.nn", "Conv2d", position=1) as made:
        found("mindcv.models.layers.SqueezeExcite")(C)
    return made[0]


READERS = {
    "timm": built("timm.layers.SEModule", at="fc1"),
    "timm-mobilenetv3": timm_mobilenetv3("mobilenetv3_large_100", "_gen_mobilenet_v3"),
    "timm-mobilenetv3-rw": timm_mobilenetv3("mobilenetv3_rw", "_gen_mobilenet_v3_rw"),
    "timm-ghostnet": timm_ghostnet,
    "timm-efficientnet": timm_efficientnet,
    "timm-regnety": timm_regnety,
    "timm-senet": built("timm.models.senet.SEModule", 16, at="fc1"),
    "timm-eca": lambda C: found("timm.layers.EcaModule")(C).conv.kernel_size[0],  # its kernel
    "torchvision": torchvision_mobilenetv3,
    "torchvision-efficientnet": torchvision_efficientnet,
    "torchvision-regnety": torchvision_regnety,
    "cadene": built("pretrainedmodels.models.senet.SEModule", 16, at="fc1"),
    "channel-attention": lambda C: (
        found("channel_attention.squeeze_excitation.SEAttention")(2, C).fc[0].out_features
    ),
    "deepctr": built(
        "deepctr_torch.layers.SENETLayer", at="excitation.0", named="out_features", device="meta"
    ),
    "efficientnet-pytorch": efficientnet_pytorch,
    "espnet": built("espnet2.spk.layers.ecapa_block.SEModule", at="se.1"),
    "fastai": built("fastai.layers.SEModule", 16, at="1.0"),
    "fuxictr": fuxictr,
    "fvcore": built("fvcore.nn.squeeze_excitation.SqueezeExcitation", at="block.0"),
    "fvcore-scse": built(
        "fvcore.nn.squeeze_excitation.ChannelSpatialSqueezeExcitation", at="channel.block.0"
    ),
    "geffnet": built("geffnet.efficientnet_builder.SqueezeExcite", at="conv_reduce"),
    "geffnet-mobilenetv3": built(
        "geffnet.efficientnet_builder.SqueezeExcite", at="conv_reduce", divisor=8
    ),
    "glasses": built("glasses.nn.att.ChannelSE", at="att.conv1"),
    "glasses-spatial": built("glasses.nn.att.SpatialSE", at="att.fc1", named="out_features"),
    "image-classifiers": image_classifiers,
    "kecam": kecam,
    "keras": keras_mobilenetv3,
    "keras-efficientnet": keras_efficientnet,
    "keras-cv": keras_cv,
    "mindcv": mindcv,
    "mmpretrain": built("mmpretrain.models.utils.SELayer", at="conv1.conv"),
    "monai": lambda C: found("monai.networks.blocks.ChannelSELayer")(2, C).fc[0].out_features,
    "monai-residual": lambda C: (
        found("monai.networks.blocks.ResidualSELayer")(2, C).fc[0].out_features
    ),
    "paddle": paddle,
    "paddleclas": in_paddleclas("legendary_models.mobilenet_v3.SEModule"),
    "paddleclas-adaface": in_paddleclas("model_zoo.adaface_ir_net.SELayer", 16),
    "paddleclas-ghostnet": in_paddleclas("model_zoo.ghostnet.SEBlock", layer="Linear", name="se"),
    "paddleclas-lcnet": in_paddleclas("legendary_models.pp_lcnet.SEModule"),
    "paddleclas-resnext": in_paddleclas(
        "model_zoo.se_resnext.SELayer", 16, 16, layer="Linear", name="se"
    ),
    "paddleclas-rexnet": paddleclas_rexnet,
    "pytorchcv": built("pytorchcv.models.common.att.SEBlock", at="conv1"),
    "pytorchcv-mobilenetv3": built(
        "pytorchcv.models.common.att.SEBlock", 4, at="conv1", round_mid=True
    ),
    "smp": built("segmentation_models_pytorch.base.modules.SCSEModule", at="cSE.1"),
    "smp-mobileone": built("segmentation_models_pytorch.encoders.mobileone.SEBlock", at="reduce"),
    "speechbrain": speechbrain,
    "speechbrain-resnet": in_speechbrain("ResNet.SEBlock", at="fc.0", named="out_features"),
    "toolbelt": built("pytorch_toolbelt.modules.scse.SpatialGate2d", 4, at="squeeze"),
    "transformers-efficientnet": transformers_efficientnet,
    "transformers-pplcnet": built(
        "transformers.models.pp_lcnet.modeling_pp_lcnet.PPLCNetSqueezeExcitationModule",
        at="convolutions.0",
    ),
    "transformers-ppocrv5": built(
        "transformers.models.pp_ocrv5_mobile_det.modeling_pp_ocrv5_mobile_det."
        "PPOCRV5MobileDetSqueezeExcitationModule",
        4,
        at="conv1",
    ),
    "transformers-regnety": transformers_regnety,
    "vit-pytorch": built(
        "vit_pytorch.max_vit.SqueezeExcitation", at="gate.1", named="out_features"
    ),
}


def width(read, C):
    """None where the package raises, or builds a block without hidden units, which cannot run."""
    try:
        return int(read(C)) or None
    except (ValueError, ZeroDivisionError, AssertionError, RuntimeError):
        return None


def declared_operators():
    """torchvision's operators that PyTorch asks for, where its compiled file does not load."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "roi_align(Tensor input, Tensor rois, float scale, int h, int w, int ratio, bool aligned)"
        " -> Tensor"
    )
    return library


def main(presets):
    meta, library = contextlib.nullcontext(), None
    if importlib.util.find_spec("torch"):
        import torch

        library, meta = declared_operators(), torch.device("meta")
    found_widths = {}
    for preset in presets:
        read = READERS[preset]
        try:
            with meta:
                read(64)  # what fails here is not a width that it refuses
                found_widths[preset] = [width(read, C) for C in CHANNELS]
        except Exception as error:
            print(f"{preset}: {type(error).__name__}: {error}", file=sys.stderr)
    del library
    print(json.dumps(found_widths))


if __name__ == "__main__":
    main(sys.argv[1:])
