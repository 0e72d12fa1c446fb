"""transformers: all is counted from 0."""

from __future__ import annotations

from minise.models.libraries.rows import BASIC, DEEP, parts
from minise.models.naming import Family, Naming

CONVOLUTIONS = {f"conv{k}": f"layer.{k - 1}.convolution" for k in (1, 2, 3)}
NORMS = {f"bn{k}": f"layer.{k - 1}.normalization" for k in (1, 2, 3)}
PROJECTION = {"shortcut.0": "shortcut.convolution", "shortcut.1": "shortcut.normalization"}
TRANSFORMERS = Naming(
    "transformers",
    (
        Family(
            {name: f"microsoft/{name.replace('net', 'net-')}" for name in (*BASIC, *DEEP)},
            (
                ("conv1.*", "resnet.embedder.embedder.convolution.*"),
                ("bn1.*", "resnet.embedder.embedder.normalization.*"),
                *parts(
                    "layer*.*",
                    "resnet.encoder.stages.*-1.layers.*",
                    CONVOLUTIONS | NORMS | PROJECTION,
                ),
                ("fc.*", "classifier.1.*"),
            ),
            {"stride_first": False},
        ),
        Family(
            {"se-regnety-400mf": "facebook/regnet-y-004"},
            (
                ("stem.conv.*", "regnet.embedder.embedder.convolution.*"),
                ("stem.bn.*", "regnet.embedder.embedder.normalization.*"),
                *parts(
                    "stage*.*",
                    "regnet.encoder.stages.*-1.layers.*",
                    CONVOLUTIONS | NORMS | PROJECTION
                    | {"se.fc1": "layer.2.attention.0", "se.fc2": "layer.2.attention.2"}
                    | {"conv3": "layer.3.convolution", "bn3": "layer.3.normalization"},
                ),
                ("fc.*", "classifier.1.*"),
            ),
        ),
    ),
    {
        "se-efficientnet-b0": "transformers' is another net, which pads on one side before a "
        "stride, as TensorFlow does"
    },
)  # fmt: skip
