"""The SE blocks of packages for PyTorch; see reading.py."""

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from reading import found, main, random_input, random_like
from torch import nn
from torch.nn.functional import silu

os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp()  # ultralytics writes there when imported


class Block(NamedTuple):
    """One preset's block, `make(C)`, of `times` · C channels."""

    make: Callable[[int], nn.Module]
    at: str  # the layer of the hidden width, as in "fc1" or "layers.1.0"; "" where there is none
    times: int = 1
    axes: int = 2  # of a map
    before: Callable[[Any], Any] = lambda x: x  # what it does to x before it squeezes

    def width(self, C):
        with torch.device("meta"):
            layer = self.make(C).get_submodule(self.at)
        if isinstance(layer, nn.Conv1d) and layer.out_channels == 1:
            return layer.kernel_size[0]  # ECA's
        return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels

    def outputs(self, C, rng):
        block = self.make(C).double().eval()
        state = {
            name: torch.from_numpy(random_like(name, value, rng))
            for name, value in block.state_dict().items()
            if value.is_floating_point()
        }
        block.load_state_dict(state, strict=False)
        x = torch.from_numpy(random_input(self.times * C, self.axes, rng))
        with torch.no_grad():
            y = block(x)
        numbers = {name: value.numpy() for name, value in state.items()}
        return {"x": self.before(x).numpy(), "y": y.numpy(), **numbers}


def built(path, *more, **options):
    """`path(C, *more, **options)`."""
    return lambda C: found(path)(C, *more, **options)


@contextlib.contextmanager
def replaced(module, name, value):
    """The module, with another function of this name."""
    module = importlib.import_module(module)
    before = getattr(module, name)
    setattr(module, name, value)
    yield module
    setattr(module, name, before)


def geffnet_mobilenetv3(C):
    with replaced("geffnet.mobilenetv3", "_create_model", lambda options, *_: options) as module:
        options = module._gen_mobilenet_v3("mobilenetv3_large_100")["se_kwargs"]
    del options["reduce_mid"]  # for which of two widths is its C
    return found("geffnet.efficientnet_builder.SqueezeExcite")(C, **options)


def pytorchcv_mobilenetv3(C):
    relu = found("pytorchcv.models.common.activ.lambda_relu")()
    return found("pytorchcv.models.mobilenetv3.MobileNetV3Unit")(
        C, C, C, stride=1, use_kernel3=True, activation=relu, use_se=True
    ).se


def timm_mobilenetv3(variant, make):
    def build(C):
        def options(*_, **given):
            return given

        with replaced("timm.models.mobilenetv3", "_create_mnv3", options) as module:
            return getattr(module, make)(variant, 1.0)["se_layer"](C, rd_ratio=0.25)

    return build


def timm_efficientnet(C):
    from timm.models._efficientnet_blocks import SqueezeExcite
    from timm.models._efficientnet_builder import EfficientNetBuilder, decode_arch_def

    builder = EfficientNetBuilder(
        32, round_chs_fn=lambda c: c, act_layer=nn.SiLU, norm_layer=nn.BatchNorm2d,
        se_layer=SqueezeExcite,
    )  # fmt: skip
    (stage,) = builder(C, decode_arch_def([[f"ir_r1_k3_s1_e6_c{C}_se0.25"]]))
    se = stage[0].se
    if se.conv_expand.out_channels != 6 * C:  # it rounds 6 · C itself to a multiple of 8
        raise ValueError
    return se


def timm_regnety(C):
    return found("timm.models.regnet.Bottleneck")(C, C, group_size=C, se_ratio=0.25).se


def torchvision_mobilenetv3(C):
    from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig

    config = InvertedResidualConfig(C, 3, C, C, True, "RE", 1, 1, 1.0)
    config.input_channels = config.expanded_channels = config.out_channels = C
    return InvertedResidual(config, nn.BatchNorm2d).block[1]


def torchvision_efficientnet(C):
    from torchvision.models.efficientnet import MBConv, MBConvConfig

    config = MBConvConfig(6, 3, 1, 8, 8, 1)
    config.input_channels = config.out_channels = C
    return MBConv(config, 0.0, nn.BatchNorm2d).block[2]


def torchvision_regnety(C):
    from torchvision.models.regnet import BottleneckTransform

    return BottleneckTransform(C, C, 1, nn.BatchNorm2d, nn.ReLU, C, 1.0, 0.25).se


def efficientnet_pytorch(C):
    """The whole residual block, which has its SE in its forward: without the layers around it,
    what is left is the swish after its expansion, that after its convolution, and SE."""
    from efficientnet_pytorch.model import MBConvBlock
    from efficientnet_pytorch.utils import BlockArgs, efficientnet

    _, settings = efficientnet(image_size=224)
    block = MBConvBlock(BlockArgs(1, 3, [1], 6, C, C, 0.25, False), settings)
    for name in ("expand_conv", "bn0", "depthwise_conv", "bn1", "project_conv", "bn2"):
        setattr(block, f"_{name}", nn.Identity())
    return block


def transformers_efficientnet(C):
    from transformers import EfficientNetConfig
    from transformers.models.efficientnet.modeling_efficientnet import (
        EfficientNetSqueezeExciteLayer,
    )

    return EfficientNetSqueezeExciteLayer(EfficientNetConfig(), C, 6 * C, True)


def transformers_regnety(C):
    from transformers import RegNetConfig
    from transformers.models.regnet.modeling_regnet import RegNetYLayer

    return RegNetYLayer(RegNetConfig(groups_width=C), C, C).layer[2]


def from_speechbrain(path):
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))  # for sounds alone
    return found(f"speechbrain.lobes.models.{path}")


def speechbrain(C):
    net = from_speechbrain("ECAPA_TDNN.ECAPA_TDNN")
    hidden = inspect.signature(net).parameters["se_channels"].default
    return from_speechbrain("ECAPA_TDNN.SEBlock")(C, hidden, C)


def fuxictr(C):
    """From its file: the package wants much that the block does not."""
    (folder,) = importlib.util.find_spec("fuxictr").submodule_search_locations
    path = f"{folder}/pytorch/layers/attentions/squeeze_excitation.py"
    spec = importlib.util.spec_from_file_location("squeeze_excitation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SqueezeExcitation(C)


def deepctr(C):
    return found("deepctr_torch.layers.SENETLayer")(C, device=torch.get_default_device())


MONAI = "monai.networks.blocks"
FVCORE = "fvcore.nn.squeeze_excitation"
SMP = "segmentation_models_pytorch"
TRANSFORMERS = "transformers.models"

BLOCKS = {
    "timm": Block(built("timm.layers.SEModule"), "fc1"),
    "timm-mobilenetv3": Block(
        timm_mobilenetv3("mobilenetv3_large_100", "_gen_mobilenet_v3"), "conv_reduce"
    ),
    "timm-mobilenetv3-rw": Block(
        timm_mobilenetv3("mobilenetv3_rw", "_gen_mobilenet_v3_rw"), "conv_reduce"
    ),
    "timm-ghostnet": Block(built("timm.models.ghostnet._SE_LAYER", rd_ratio=0.25), "conv_reduce"),
    "timm-efficientnet": Block(timm_efficientnet, "conv_reduce", times=6),
    "timm-regnety": Block(timm_regnety, "fc1"),
    "timm-senet": Block(built("timm.models.senet.SEModule", 16), "fc1"),
    "timm-ese": Block(built("timm.layers.EffectiveSEModule"), ""),
    "timm-hgnet": Block(built("timm.models.hgnet.EseModule"), ""),
    "timm-eca": Block(built("timm.layers.EcaModule"), "conv"),
    "torchvision": Block(torchvision_mobilenetv3, "fc1"),
    "torchvision-efficientnet": Block(torchvision_efficientnet, "fc1", times=6),
    "torchvision-regnety": Block(torchvision_regnety, "fc1"),
    "cadene": Block(built("pretrainedmodels.models.senet.SEModule", 16), "fc1"),
    "channel-attention": Block(
        lambda C: found("channel_attention.squeeze_excitation.SEAttention")(2, C), "fc.0"
    ),
    "deepctr": Block(deepctr, "excitation.0", axes=1),
    "efficientnet-pytorch": Block(
        efficientnet_pytorch, "_se_reduce", times=6, before=lambda x: silu(silu(x))
    ),
    "espnet": Block(built("espnet2.spk.layers.ecapa_block.SEModule"), "se.1", axes=1),
    "fastai": Block(built("fastai.layers.SEModule", 16), "layers.1.0"),
    "fuxictr": Block(fuxictr, "excitation.0", axes=1),
    "fvcore": Block(built(f"{FVCORE}.SqueezeExcitation"), "block.0"),
    "fvcore-scse": Block(built(f"{FVCORE}.ChannelSpatialSqueezeExcitation"), "channel.block.0"),
    "geffnet": Block(built("geffnet.efficientnet_builder.SqueezeExcite"), "conv_reduce"),
    "geffnet-mobilenetv3": Block(geffnet_mobilenetv3, "conv_reduce"),
    "glasses": Block(built("glasses.nn.att.ChannelSE"), "att.conv1"),
    "glasses-spatial": Block(built("glasses.nn.att.SpatialSE"), "att.fc1"),
    "mmpretrain": Block(built("mmpretrain.models.utils.SELayer"), "conv1.conv"),
    "monai": Block(lambda C: found(f"{MONAI}.ChannelSELayer")(2, C), "fc.0"),
    "monai-residual": Block(lambda C: found(f"{MONAI}.ResidualSELayer")(2, C), "fc.0"),
    "pytorchcv": Block(built("pytorchcv.models.common.att.SEBlock"), "conv1"),
    "pytorchcv-mobilenetv3": Block(pytorchcv_mobilenetv3, "conv1"),
    "pytorchcv-sinet": Block(built("pytorchcv.models.sinet.SEBlock", 1), ""),
    "smp": Block(built(f"{SMP}.base.modules.SCSEModule"), "cSE.1"),
    "smp-mobileone": Block(built(f"{SMP}.encoders.mobileone.SEBlock"), "reduce"),
    "speechbrain": Block(speechbrain, "conv1.conv", axes=1),
    "speechbrain-resnet": Block(lambda C: from_speechbrain("ResNet.SEBlock")(C), "fc.0"),
    "toolbelt": Block(built("pytorch_toolbelt.modules.scse.SpatialGate2d", 4), "squeeze"),
    "transformers-efficientnet": Block(transformers_efficientnet, "reduce", times=6),
    "transformers-pplcnet": Block(
        built(f"{TRANSFORMERS}.pp_lcnet.modeling_pp_lcnet.PPLCNetSqueezeExcitationModule"),
        "convolutions.0",
    ),
    "transformers-ppocrv5": Block(
        built(
            f"{TRANSFORMERS}.pp_ocrv5_mobile_det.modeling_pp_ocrv5_mobile_det."
            "PPOCRV5MobileDetSqueezeExcitationModule",
            4,
        ),
        "conv1",
    ),
    "transformers-regnety": Block(transformers_regnety, "attention.0"),
    "ultralytics": Block(built("ultralytics.nn.modules.conv.ChannelAttention"), ""),
    "vit-pytorch": Block(built("vit_pytorch.max_vit.SqueezeExcitation"), "gate.1"),
}


def declared_operators():
    """torchvision's operators that PyTorch asks for, where its compiled file does not load."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "roi_align(Tensor input, Tensor rois, float scale, int h, int w, int ratio, bool aligned)"
        " -> Tensor"
    )
    return library


if __name__ == "__main__":
    library = declared_operators()
    main(
        {preset: block.width for preset, block in BLOCKS.items() if block.at},
        {preset: block.outputs for preset, block in BLOCKS.items()},
    )
