"""mindcv's SE block, on MindSpore; see reading.py."""

import importlib

import mindspore
from reading import found, main, noted, random_input, random_like

importlib.import_module("mindcv.models.layers")


def make(C):
    return found("mindcv.models.layers.SqueezeExcite")(C)


def width(C):
    with noted("mindspore.nn", "Conv2d", position=1) as made:
        make(C)
    return made[0]


def outputs(C, rng):
    """In float32, which is all that its convolutions take."""
    block = make(C).set_train(False)
    numbers = {}
    for parameter in block.get_parameters():
        number = random_like(parameter.name, parameter, rng).astype("float32")
        numbers[parameter.name] = number
        parameter.set_data(mindspore.Tensor(number))
    x = random_input(C, 2, rng).astype("float32")
    return {"x": x, "y": block(mindspore.Tensor(x)).asnumpy(), **numbers}


if __name__ == "__main__":
    main({"mindcv": width}, {"mindcv": outputs})
