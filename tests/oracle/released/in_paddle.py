"""The SE blocks of packages for PaddlePaddle; see reading.py."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import paddle
from paddle import nn
from reading import Noted, found, main, noted, random_input, random_like


class InPaddleClas(NamedTuple):
    """The class at `path`, made with C and `more(C)`; its first `layer` has the hidden width."""

    path: str
    more: Callable[[int], tuple] = lambda C: ()
    layer: str = "Conv2D"

    def make(self, C):
        return found(f"paddleclas.ppcls.arch.backbone.{self.path}")(C, *self.more(C))

    def width(self, C):
        module = found(f"paddleclas.ppcls.arch.backbone.{self.path}").__module__
        with noted(module, self.layer, position=1) as made:
            self.make(C)
        return made[0]


class Rexnet(NamedTuple):
    def make(self, C):
        return found("paddleclas.ppcls.arch.backbone.model_zoo.rexnet.SE")(C, C)

    def width(self, C):
        return self.make(C).fc[0]._out_channels


class InPaddle(NamedTuple):
    def make(self, C):
        residual = found("paddle.vision.models.mobilenetv3.InvertedResidual")
        return residual(C, C, C, 3, 1, True, nn.ReLU, nn.BatchNorm2D).mid_se

    def width(self, C):
        module = importlib.import_module("paddle.vision.models.mobilenetv3")
        made = []
        make, module.SqueezeExcitation = module.SqueezeExcitation, Noted(made, 1)
        conv, module.ConvNormActivation = module.ConvNormActivation, Noted([], 1)
        module.InvertedResidual(C, C, C, 3, 1, True, "relu", None)
        module.SqueezeExcitation, module.ConvNormActivation = make, conv
        return made[0]


def outputs(make):
    def run(C, rng):
        paddle.set_default_dtype("float64")
        block = make(C)
        block.eval()
        numbers = {}
        for layer in block.sublayers(include_self=True):
            for name, value in layer.state_dict(include_sublayers=False).items():
                across = isinstance(layer, nn.Linear) and value.ndim == 2  # (in, out)
                numbers[f"{len(numbers)}{name}"] = number = random_like(
                    name.replace("variance", "var"), value.T if across else value, rng
                )
                value.set_value(number.T if across else number)
        x = random_input(C, 2, rng)
        y = block(paddle.to_tensor(x))
        return {"x": x, "y": y.numpy(), **numbers}

    return run


BLOCKS = {
    "paddle": InPaddle(),
    "paddleclas": InPaddleClas("legendary_models.mobilenet_v3.SEModule"),
    "paddleclas-adaface": InPaddleClas("model_zoo.adaface_ir_net.SELayer", lambda C: (16,)),
    "paddleclas-ghostnet": InPaddleClas(
        "model_zoo.ghostnet.SEBlock", lambda C: (4, f"se{C}"), "Linear"
    ),
    "paddleclas-lcnet": InPaddleClas("legendary_models.pp_lcnet.SEModule"),
    "paddleclas-resnext": InPaddleClas(
        "model_zoo.se_resnext.SELayer", lambda C: (C, 16, f"se{C}"), "Linear"
    ),
    "paddleclas-rexnet": Rexnet(),
}

if __name__ == "__main__":
    main(
        {preset: block.width for preset, block in BLOCKS.items()},
        {preset: outputs(block.make) for preset, block in BLOCKS.items()},
    )
