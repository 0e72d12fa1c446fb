"""The SE blocks of packages for Keras, on TensorFlow; see reading.py."""

import importlib
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import tf_keras
from reading import Noted, found, main, noted, random_input, random_like


class Layers:
    """tf_keras.layers with a Conv2D that is noted, and nothing multiplied."""

    def __init__(self, made):
        self.Conv2D, self.Multiply = Noted(made, 0), lambda **_: lambda xs: xs[0]

    def __getattr__(self, name):
        return getattr(tf_keras.layers, name)


def kecam_width(C):
    from keras_cv_attention_models import common_layers

    before, common_layers.layers = common_layers.layers, Layers(made := [])
    common_layers.se_module(tf_keras.Input((1, 1, C)))
    common_layers.layers = before
    return made[0]


def image_classifiers(layers=tf_keras.layers):
    return found("classification_models.models._common_blocks.ChannelSE")(
        16, backend=tf_keras.backend, layers=layers, models=tf_keras.models, utils=tf_keras.utils
    )


def image_classifiers_width(C):
    image_classifiers(Layers(made := []))(tf_keras.Input((1, 1, C)))
    return made[0]


def keras_width(C):
    with noted("keras.src.layers", "Conv2D", position=0) as made:
        keras_block(keras.Input((1, 1, C)))
    return made[0]


def keras_block(x):
    return found("keras.src.applications.mobilenet_v3._se_block")(x, x.shape[-1], 0.25, "")


def keras_efficientnet(C, expand_ratio):
    x = keras.Input((5, 7, C))
    return x, found("keras.src.applications.efficientnet.block")(
        x, filters_in=C, filters_out=C, expand_ratio=expand_ratio, se_ratio=0.25
    )


def keras_efficientnet_width(C):
    with noted("keras.src.layers", "Conv2D", position=0) as made:
        keras_efficientnet(C, expand_ratio=1)
    return made[0]


def keras_efficientnet_model(C):
    """Of its layers, those of SE."""
    whole = keras.Model(*keras_efficientnet(C, expand_ratio=6))
    inside = (whole.get_layer("se_squeeze").input, whole.get_layer("se_excite").output)
    return keras.Model(*inside)


def model(apply, of=keras):
    def build(C):
        x = of.Input((5, 7, C))
        return of.Model(x, apply(x))

    return build


def outputs(build, times=1):
    def run(C, rng):
        for of in (keras, tf_keras):
            of.backend.set_floatx("float64")
        block = build(C)
        numbers = [
            random_like("", value.T.squeeze() if value.ndim > 1 else value, rng)
            for value in block.get_weights()  # a kernel is (1, 1, in, out)
        ]
        block.set_weights(
            [
                number.T.reshape(value.shape)
                for number, value in zip(numbers, block.get_weights(), strict=True)
            ]
        )
        x = random_input(times * C, 2, rng)
        y = block(x.transpose(0, 2, 3, 1), training=False)
        named = {str(i): number for i, number in enumerate(numbers)}
        return {"x": x, "y": y.numpy().transpose(0, 3, 1, 2), **named}

    return run


WIDTHS = {
    "image-classifiers": image_classifiers_width,
    "kecam": kecam_width,
    "keras": keras_width,
    "keras-efficientnet": keras_efficientnet_width,
    "keras-cv": lambda C: found("keras_cv.layers.SqueezeAndExcite2D")(C).bottleneck_filters,
}
OUTPUTS = {
    "image-classifiers": outputs(model(lambda x: image_classifiers()(x), tf_keras)),
    "kecam": outputs(
        model(
            lambda x: importlib.import_module(
                "keras_cv_attention_models.attention_layers"
            ).se_module(x),
            tf_keras,
        )
    ),
    "keras": outputs(model(keras_block)),
    "keras-efficientnet": outputs(keras_efficientnet_model, times=6),
    "keras-cv": outputs(
        model(lambda x: found("keras_cv.layers.SqueezeAndExcite2D")(x.shape[-1])(x), tf_keras)
    ),
}

if __name__ == "__main__":
    main(WIDTHS, OUTPUTS)
