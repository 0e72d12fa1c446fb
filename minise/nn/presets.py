"""The SE blocks of other libraries: their options, and what they call their weights.

Each was read from the released package that it names. What a package does that no option of
ours does is not here: the reference lists it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from minise.nn.layer import Layer
from minise.nn.relatives import BLOCK_OPTIONS, BLOCKS, ECA, ConcurrentSE, EffectiveSE
from minise.nn.se import SEBlock
from minise.nn.widths import hidden_width

__all__ = ["PRESETS", "Preset"]

NAMES = {block: name for name, block in BLOCKS.items()}
OF_WIDTH = ("reduction", "rounding", "hidden")


class Preset(NamedTuple):
    """How one library builds its SE block, `block(channels, **arguments)`."""

    arguments: dict[str, Any]
    package: str  # with its version
    source: str  # the class there, or the paper
    weights: str  # kind of the two maps, and their names
    expansion: int | None = None
    """Where the reduction is of the channels that come into the residual block around it, how many
    times as many the SE block sees: 6 in EfficientNet, 1 in RegNetY; else None."""
    block: type[Layer] = SEBlock

    @property
    def options(self) -> dict[str, Any]:
        """As `models.create` takes them; of a relative of SE with its name, as in block="eca".

        All that the block has are there: a net must not keep one of its own beside them.
        """
        named = {} if self.block is SEBlock else {"block": NAMES[self.block]}
        return named | BLOCK_OPTIONS[self.block] | self.arguments

    def input(self, channels: int, reduced_from: int | None = None) -> int | None:
        """The channels that the reduction is of where they are not the block's own, else None.

        They are `reduced_from`, or follow from `expansion`.
        """
        if self.expansion is None:
            return None
        return max(1, channels // self.expansion) if reduced_from is None else reduced_from

    def make(self, channels: int, *, reduced_from: int | None = None, **more: Any) -> Layer:
        """The block for this number of channels; `more` are other options, as `rng` and `dtype`.

        Raises `InputError` where no hidden unit is left.
        """
        of_input = self.input(channels, reduced_from)
        if of_input is not None:
            more["reduced_from"] = of_input
        make: Callable[..., Layer] = self.block
        return make(channels, **self.arguments | more)

    def hidden(self, channels: int, *, reduced_from: int | None = None) -> int | None:
        """The number of hidden units of that block; None where it has none.

        Raises `InputError` where none is left.
        """
        if self.block not in (SEBlock, ConcurrentSE):
            return None
        of_width = {name: self.arguments[name] for name in OF_WIDTH if name in self.arguments}
        of_input = self.input(channels, reduced_from)
        return hidden_width(channels, **of_width, reduced_from=of_input, who="SEBlock")


FC = "Conv2d fc1, fc2"
REDUCE = "Conv2d conv_reduce, conv_expand"
LINEAR = "Linear fc.0, fc.2"

MOBILENETV3 = {"reduction": 4, "rounding": "torchvision", "gate": "hard_sigmoid"}
EFFICIENTNET = {"reduction": 4, "rounding": "floor_or_one", "activation": "silu"}
REGNETY = {"reduction": 4, "rounding": "nearest"}
FIELDS = {
    "reduction": 3, "rounding": "floor_or_one", "bias": False, "gate": "relu",
}  # fmt: skip

_AS_READ = {
    "paper": Preset(
        {"reduction": 16, "bias": False}, "arXiv 1709.01507", "Hu et al., equation 3 and section 6",
        "Linear W₁, W₂",
    ),
    "caffe": Preset(
        {"reduction": 16}, "hujie-frank/SENet", "the authors' models, in Caffe",
        "Conv2d 1x1_down, 1x1_up",
    ),
    "seed": Preset(
        {"reduction": 3, "squeeze": "max"}, "minise", "the note that minise grew from",
        "Linear fc1, fc2",
    ),
    "timm": Preset(
        {"reduction": 16, "rounding": "timm"}, "timm 1.0.31", "timm.layers.SEModule", FC
    ),
    "timm-mobilenetv3": Preset(
        {"reduction": 4, "rounding": "mobilenet", "gate": "hard_sigmoid"}, "timm 1.0.31",
        "SqueezeExcite in timm.models.mobilenetv3_large_100", REDUCE,
    ),
    "timm-mobilenetv3-rw": Preset(
        {"reduction": 4, "rounding": "nearest", "gate": "hard_sigmoid"}, "timm 1.0.31",
        "SqueezeExcite in timm.models.mobilenetv3_rw; its activation is that of the residual "
        "block, relu in the third stage and hard_swish in later ones", REDUCE,
    ),
    "timm-ghostnet": Preset(
        {"reduction": 4, "rounding": "ghostnet", "gate": "hard_sigmoid"}, "timm 1.0.31",
        "SqueezeExcite in timm.models.ghostnet", REDUCE,
    ),
    "timm-efficientnet": Preset(
        {"reduction": 4, "rounding": "nearest", "activation": "silu"}, "timm 1.0.31",
        "SqueezeExcite in timm.models.efficientnet_b0", REDUCE, expansion=6,
    ),
    "timm-regnety": Preset(
        REGNETY, "timm 1.0.31", "SEModule in timm.models.regnet", FC, expansion=1
    ),
    "timm-senet": Preset({"reduction": 16}, "timm 1.0.31", "timm.models.senet.SEModule", FC),
    "timm-ese": Preset(
        {"gate": "hard_sigmoid"}, "timm 1.0.31", "timm.layers.EffectiveSEModule", "Conv2d fc",
        block=EffectiveSE,
    ),
    "timm-hgnet": Preset(
        {"gate": "sigmoid"}, "timm 1.0.31", "timm.models.hgnet.EseModule", "Conv2d conv",
        block=EffectiveSE,
    ),
    "timm-eca": Preset(
        {"smallest": 3}, "timm 1.0.31", "timm.layers.EcaModule", "Conv1d conv", block=ECA
    ),
    "torchvision": Preset(
        MOBILENETV3, "torchvision 0.28.0", "SElayer in torchvision.models.mobilenetv3", FC
    ),
    "torchvision-efficientnet": Preset(
        EFFICIENTNET, "torchvision 0.28.0", "MBConv in torchvision.models.efficientnet", FC,
        expansion=6,
    ),
    "torchvision-regnety": Preset(
        REGNETY, "torchvision 0.28.0", "BottleneckTransform in torchvision.models.regnet", FC,
        expansion=1,
    ),
    "cadene": Preset(
        {"reduction": 16}, "pretrainedmodels 0.7.4", "pretrainedmodels.models.senet.SEModule", FC
    ),
    "channel-attention": Preset(
        {"reduction": 4, "bias": False}, "channel-attention 0.0.1",
        "channel_attention.squeeze_excitation.SEAttention", LINEAR,
    ),
    "deepctr": Preset(
        FIELDS, "deepctr-torch 0.3.0", "deepctr_torch.layers.SENETLayer; its channels are fields",
        "Linear excitation.0, excitation.2",
    ),
    "efficientnet-pytorch": Preset(
        EFFICIENTNET, "efficientnet-pytorch 0.7.1", "efficientnet_pytorch.model.MBConvBlock",
        "Conv2d _se_reduce, _se_expand", expansion=6,
    ),
    "espnet": Preset(
        {"hidden": 128, "norm": "after"}, "espnet 202511",
        "espnet2.spk.layers.ecapa_block.SEModule", "Conv1d se.1, se.4",
    ),
    "fastai": Preset(
        {"reduction": 16, "rounding": "fastai"}, "fastai 2.8.12", "fastai.layers.SEModule",
        "Conv2d layers.1.0, layers.2.0",
    ),
    "fuxictr": Preset(
        FIELDS, "fuxictr 2.3.10",
        "fuxictr.pytorch.layers.SqueezeExcitation; its channels are fields",
        "Linear excitation.0, excitation.2",
    ),
    "fvcore": Preset(
        {"reduction": 2}, "fvcore 0.1.5.post20221221",
        "fvcore.nn.squeeze_excitation.SqueezeExcitation", "Conv2d block.0, block.2",
    ),
    "fvcore-scse": Preset(
        {"reduction": 16, "merge": "max"}, "fvcore 0.1.5.post20221221",
        "fvcore.nn.squeeze_excitation.ChannelSpatialSqueezeExcitation",
        "Conv2d channel.block.0, channel.block.2, spatial.block.0", block=ConcurrentSE,
    ),
    "geffnet": Preset(
        {"reduction": 4, "rounding": "geffnet"}, "geffnet 1.0.2",
        "geffnet.efficientnet_builder.SqueezeExcite", REDUCE,
    ),
    "geffnet-mobilenetv3": Preset(
        {"reduction": 4, "rounding": "mobilenet", "gate": "hard_sigmoid"}, "geffnet 1.0.2",
        "SqueezeExcite in geffnet.mobilenetv3, with a divisor of 8", REDUCE,
    ),
    "glasses": Preset(
        {"reduction": 16}, "glasses 0.0.6", "glasses.nn.att.ChannelSE",
        "Conv2d att.conv1, att.conv2",
    ),
    "glasses-spatial": Preset(
        {"reduction": 16, "bias": False}, "glasses 0.0.6",
        "glasses.nn.att.SpatialSE, which squeezes maps as all here do", "Linear att.fc1, att.fc2",
    ),
    "image-classifiers": Preset(
        {"reduction": 16}, "image-classifiers 1.0.0", "classification_models ChannelSE", "Conv2D",
    ),
    "kecam": Preset(
        {"reduction": 4, "rounding": "mobilenet"}, "keras-cv-attention-models 1.4.3",
        "keras_cv_attention_models.attention_layers.se_module", "Conv2D 1_conv, 2_conv",
    ),
    "keras": Preset(
        {"reduction": 4, "rounding": "mobilenet", "gate": "hard_sigmoid"}, "keras 3.15.1",
        "_se_block in keras.applications.MobileNetV3Large",
        "Conv2D squeeze_excite_conv, squeeze_excite_conv_1",
    ),
    "keras-efficientnet": Preset(
        EFFICIENTNET, "keras 3.15.1", "block in keras.applications.efficientnet",
        "Conv2D se_reduce, se_expand", expansion=6,
    ),
    "keras-cv": Preset(
        {"reduction": 4}, "keras-cv 0.9.0", "keras_cv.layers.SqueezeAndExcite2D", "Conv2D",
    ),
    "mindcv": Preset(
        {"reduction": 16, "rounding": "mobilenet"}, "mindcv 0.3.0",
        "mindcv.models.layers.SqueezeExcite", REDUCE,
    ),
    "mmpretrain": Preset(
        {"reduction": 16, "rounding": "torchvision"}, "mmpretrain 1.2.0",
        "mmpretrain.models.utils.SELayer", "Conv2d conv1.conv, conv2.conv",
    ),
    "monai": Preset(
        {"reduction": 2}, "monai 1.6.1", "monai.networks.blocks.ChannelSELayer", LINEAR
    ),
    "monai-residual": Preset(
        {"reduction": 2, "activation": "leaky_relu", "gate": "relu", "residual": True},
        "monai 1.6.1", "monai.networks.blocks.ResidualSELayer", LINEAR,
    ),
    "paddle": Preset(
        MOBILENETV3, "paddlepaddle 3.3.1", "paddle.vision.models.mobilenet_v3_large",
        "Conv2D mid_se.fc1, mid_se.fc2",
    ),
    "paddleclas": Preset(
        {"reduction": 4, "gate": "hard_sigmoid_0.2"}, "paddleclas 2.6.0",
        "SEModule of MobileNetV3", "Conv2D mid_se.conv1, mid_se.conv2",
    ),
    "paddleclas-adaface": Preset(
        {"reduction": 16, "bias": False}, "paddleclas 2.6.0", "SEModule of adaface_ir_net",
        "Conv2D fc1, fc2",
    ),
    "paddleclas-ghostnet": Preset(
        {"reduction": 4, "gate": "clip"}, "paddleclas 2.6.0", "SEBlock of ghostnet",
        "Linear squeeze, excitation",
    ),
    "paddleclas-lcnet": Preset(
        {"reduction": 4, "gate": "hard_sigmoid"}, "paddleclas 2.6.0", "SEModule of pp_lcnet",
        "Conv2D conv1, conv2",
    ),
    "paddleclas-resnext": Preset(
        {"reduction": 16}, "paddleclas 2.6.0", "SELayer of se_resnext",
        "Linear squeeze, excitation",
    ),
    "paddleclas-rexnet": Preset(
        {"reduction": 12, "norm": "before"}, "paddleclas 2.6.0", "SE of rexnet",
        "Conv2D fc.0, fc.3",
    ),
    "pytorchcv": Preset(
        {"reduction": 16}, "pytorchcv 0.0.74", "pytorchcv.models.common.att.SEBlock",
        "Conv2d conv1, conv2",
    ),
    "pytorchcv-mobilenetv3": Preset(
        {"reduction": 4, "rounding": "mobilenet", "gate": "hard_sigmoid"}, "pytorchcv 0.0.74",
        "SEBlock in pytorchcv.models.mobilenetv3, which calls its gate sigmoid",
        "Conv2d conv1, conv2",
    ),
    "pytorchcv-sinet": Preset(
        {"gate": "sigmoid"}, "pytorchcv 0.0.74", "pytorchcv.models.sinet.SEBlock, reduction 1",
        "Linear fc1", block=EffectiveSE,
    ),
    "smp": Preset(
        {"reduction": 16, "merge": "add"}, "segmentation-models-pytorch 0.6.0",
        "segmentation_models_pytorch.base.modules.SCSEModule", "Conv2d cSE.1, cSE.3, sSE.0",
        block=ConcurrentSE,
    ),
    "smp-mobileone": Preset(
        {"reduction": 16}, "segmentation-models-pytorch 0.6.0",
        "segmentation_models_pytorch.encoders.mobileone.SEBlock", "Conv2d reduce, expand",
    ),
    "speechbrain": Preset(
        {"hidden": 128}, "speechbrain 1.1.2",
        "SEBlock in speechbrain.lobes.models.ECAPA_TDNN, with a mask for lengths",
        "Conv1d conv1.conv, conv2.conv",
    ),
    "speechbrain-resnet": Preset(
        {"reduction": 1}, "speechbrain 1.1.2", "speechbrain.lobes.models.ResNet.SEBlock", LINEAR
    ),
    "toolbelt": Preset(
        {"reduction": 4, "rounding": "floor_or_one"}, "pytorch-toolbelt 0.8.0",
        "pytorch_toolbelt.modules.scse.SpatialGate2d, which squeezes maps as all here do",
        "Conv2d squeeze, expand",
    ),
    "transformers-efficientnet": Preset(
        EFFICIENTNET, "transformers 5.24.0", "EfficientNetSqueezeExciteLayer",
        "Conv2d reduce, expand", expansion=6,
    ),
    "transformers-pplcnet": Preset(
        {"reduction": 4, "gate": "hard_sigmoid"}, "transformers 5.24.0",
        "PPLCNetSqueezeExcitationModule", "Conv2d convolutions.0, convolutions.2",
    ),
    "transformers-ppocrv5": Preset(
        {"reduction": 4, "gate": "hard_sigmoid_0.2"}, "transformers 5.24.0",
        "PPOCRV5MobileDetSqueezeExcitationModule", "Conv2d conv1, conv2",
    ),
    "transformers-regnety": Preset(
        REGNETY, "transformers 5.24.0", "RegNetSELayer in RegNetYLayer",
        "Conv2d attention.0, attention.2", expansion=1,
    ),
    "ultralytics": Preset(
        {"gate": "sigmoid"}, "ultralytics 8.4.190", "ultralytics.nn.modules.conv.ChannelAttention",
        "Conv2d fc", block=EffectiveSE,
    ),
    "vit-pytorch": Preset(
        {"reduction": 4, "activation": "silu", "bias": False}, "vit-pytorch 1.26.14",
        "vit_pytorch.max_vit.SqueezeExcitation", "Linear gate.1, gate.3",
    ),
}  # fmt: skip
# Of an SE block, all options: they are the same of a block and of a net.
PRESETS = {
    name: preset._replace(arguments=preset.options) if preset.block is SEBlock else preset
    for name, preset in _AS_READ.items()
}
