"""The tables of names, by library and family of nets.

Each was compared with the released package by tests/oracle/released.
"""

from __future__ import annotations

from minise.models import mobilenetv3
from minise.models.naming import Family, Naming, Table

BASIC = ("resnet18", "resnet34")
DEEP = ("resnet50", "resnet101", "resnet152")
RESNEXT = ("resnext50-32x4d", "resnext101-32x4d")


def _with_se(*names: str) -> tuple[str, ...]:
    return tuple(f"se-{name}" for name in names)


def _called(*names: str, se: str = "se", before: str = "", after: str = "") -> dict[str, str]:
    """Their names, which begin with `before` and with `se` for our "se-"."""
    theirs = {name: name.replace("se-", se).replace("-", "_") for name in names}
    return {ours: before + name + after for ours, name in theirs.items()}


def _parts(ours: str, theirs: str, parts: dict[str, str]) -> Table:
    """Rows for the parts of the blocks that match a pattern."""
    return tuple((f"{ours}.{a}.*", f"{theirs}.{b}.*") for a, b in parts.items())


def _small(depth: int, theirs: str) -> Table:
    """Places of block1, block2, … of our small nets in three stages, from their pattern."""
    each = (depth - 2) // (9 if depth == 164 else 6)
    return tuple(
        (f"block{each * (stage - 1) + k + 1}.*", theirs.format(stage=stage, k=k, unit=k + 1))
        for stage in (1, 2, 3)
        for k in range(each)
    )


# timm

DOWNSAMPLE = (("*.shortcut.*", "*.downsample.*"),)
TIMM_STEM = (
    ("conv1.*", "conv1.0.*"),
    ("bn1.*", "conv1.1.*"),
    ("conv2.*", "conv1.3.*"),
    ("bn2.*", "conv1.4.*"),
    ("conv3.*", "conv1.6.*"),
    ("bn3.*", "bn1.*"),
)
TIMM_SE = {"se.fc1": "se.conv_reduce", "se.fc2": "se.conv_expand"}
TIMM_SEPARABLE = {
    "depthwise.conv": "conv_dw", "depthwise.bn": "bn1", "project.conv": "conv_pw",
    "project.bn": "bn2",
}  # fmt: skip
TIMM_INVERTED = {
    "expand.conv": "conv_pw", "expand.bn": "bn1", "depthwise.conv": "conv_dw",
    "depthwise.bn": "bn2", "project.conv": "conv_pwl", "project.bn": "bn3",
}  # fmt: skip
TIMM_MOBILE = (
    ("stem.conv.*", "conv_stem.*"),
    ("stem.bn.*", "bn1.*"),
    *_parts("blocks.0.*", "blocks.0.*", TIMM_SEPARABLE),
    *_parts("blocks.*", "blocks.*", TIMM_INVERTED | TIMM_SE),
)
TIMM_EFFICIENTNET = (
    *TIMM_MOBILE,
    ("head.conv.*", "conv_head.*"),
    ("head.bn.*", "bn2.*"),
    ("fc.*", "classifier.*"),
)
TIMM_REGNET = _parts(
    "stage*.*",
    "s*.b*+1",
    {f"conv{k}": f"conv{k}.conv" for k in (1, 2, 3)}
    | {f"bn{k}": f"conv{k}.bn" for k in (1, 2, 3)}
    | {"se": "se", "shortcut.0": "downsample.conv", "shortcut.1": "downsample.bn"},
)


def _timm_mobilenetv3(name: str, *stages: int) -> Family:
    """With so many blocks in each stage."""
    places = [f"{stage}.{k}" for stage, blocks in enumerate(stages) for k in range(blocks)]
    last = f"blocks.{len(stages)}.0"
    return Family(
        {f"se-mobilenetv3-{name}": f"mobilenetv3_{name}_100"},
        (
            *TIMM_MOBILE,
            ("head.conv.*", f"{last}.conv.*"),
            ("head.bn.*", f"{last}.bn1.*"),
            ("fc1.*", "conv_head.*"),
            ("fc2.*", "classifier.*"),
        ),
        {"norm_eps": 1e-5, "norm_momentum": 0.1},
        tuple((f"block{k}.*", f"blocks.{place}.*") for k, place in enumerate(places, start=1)),
        ("*.se.fc*.weight", "fc1.weight"),
    )


TIMM = Naming(
    "timm",
    (
        Family(
            _called(*BASIC, *DEEP, *RESNEXT, *_with_se(*BASIC, *DEEP, *RESNEXT)),
            DOWNSAMPLE,
            {"stride_first": False, "rounding": "timm"},
        ),
        Family(_called("senet154"), TIMM_STEM + DOWNSAMPLE, {"rounding": "timm"}),
        _timm_mobilenetv3("large", 1, 2, 3, 4, 2, 3),
        _timm_mobilenetv3("small", 1, 2, 3, 2, 3),
        Family(
            {"se-efficientnet-b0": "efficientnet_b0"},
            TIMM_EFFICIENTNET,
            places=(("stage*.*", "blocks.*-1.*"),),
        ),
        Family(
            {"se-regnety-400mf": "regnety_004"}, (*TIMM_REGNET, ("fc.*", "head.fc.*"))
        ),
    ),
)  # fmt: skip

# Caffe's nets by Cadene; timm has them as its legacy ones, and two more

CADENE = (
    *((f"{part}{k}.*", f"layer0.{part}{k}.*") for part in ("conv", "bn") for k in (1, 2, 3)),
    ("*.se.*", "*.se_module.*"),
    *DOWNSAMPLE,
    ("fc.*", "last_linear.*"),
)
CAFFE = {"ceil_pool": True}
OF_CAFFE = (*_with_se(*DEEP, *RESNEXT), "senet154")
LEGACY = Naming(
    "timm's legacy nets",
    (
        Family(
            _called(*_with_se(*BASIC), before="legacy_"),
            CADENE,
            CAFFE | {"placement": "activated"},
        ),
        Family(_called(*OF_CAFFE, before="legacy_"), CADENE, CAFFE),
    ),
)
PRETRAINEDMODELS = Naming(
    "pretrainedmodels, Cadene/pretrained-models.pytorch",
    (
        Family(_called(*OF_CAFFE, se="se_"), CADENE, CAFFE),
        Family(
            _called(*BASIC, *DEEP), (*DOWNSAMPLE, CADENE[-1]), {"stride_first": False}
        ),
    ),
    {
        f"se-{name}": f"there is none; naming='timm-legacy' reads timm's legacy_se{name}"
        for name in BASIC
    },
)  # fmt: skip

# torchvision: conv and bn are 0 and 1, and the parts of a block are counted


def _counted(ours: str, theirs: str, *parts: str) -> Table:
    return tuple(
        row
        for k, part in enumerate(parts)
        for row in (
            (f"{ours}.{part}.conv.*", f"{theirs}.{k}.0.*"),
            (f"{ours}.{part}.bn.*", f"{theirs}.{k}.1.*"),
            (f"{ours}.{part}.*", f"{theirs}.{k}.*"),
        )
    )


def _first_and_last(last: int) -> Table:
    ends = {"stem": 0, "head": last}
    return tuple(
        (f"{ours}.{part}.*", f"features.{number}.{k}.*")
        for ours, number in ends.items()
        for k, part in enumerate(("conv", "bn"))
    )


def _torchvision_mobilenetv3(widths: mobilenetv3.Widths) -> Table:
    rows, channels = [*_first_and_last(len(widths.blocks) + 1)], widths.stem
    for number, block in enumerate(widths.blocks, start=1):
        expand, se = ["expand"] * (block.width != channels), ["se"] * block.has_se
        parts = [*expand, "depthwise", *se, "project"]
        rows += _counted(f"block{number}", f"features.{number}.block", *parts)
        channels = block.filters
    return (*rows, ("fc1.*", "classifier.0.*"), ("fc2.*", "classifier.3.*"))


TORCHVISION_EFFICIENTNET = (
    *_first_and_last(8),
    *_counted("stage1.*", "features.1.*.block", "depthwise", "se", "project"),
    *_counted("stage*.*", "features.*.*.block", "expand", "depthwise", "se", "project"),
    ("fc.*", "classifier.1.*"),
)
TORCHVISION_REGNET = (
    ("stem.conv.*", "stem.0.*"),
    ("stem.bn.*", "stem.1.*"),
    *(
        row
        for stage in (1, 2, 3, 4)
        for row in _parts(
            f"stage{stage}.*",
            f"trunk_output.block{stage}.block{stage}-*",
            {f"conv{k}": f"f.{letter}.0" for k, letter in enumerate("abc", start=1)}
            | {f"bn{k}": f"f.{letter}.1" for k, letter in enumerate("abc", start=1)}
            | {"se": "f.se", "shortcut": "proj"},
        )
    ),
)
TORCHVISION = Naming(
    "torchvision",
    (
        Family(
            _called(*BASIC, *DEEP, "resnext50-32x4d"), DOWNSAMPLE, {"stride_first": False}
        ),
        Family(
            {"se-mobilenetv3-large": "mobilenet_v3_large"},
            _torchvision_mobilenetv3(mobilenetv3.LARGE),
        ),
        Family(
            {"se-mobilenetv3-small": "mobilenet_v3_small"},
            _torchvision_mobilenetv3(mobilenetv3.SMALL),
        ),
        Family({"se-efficientnet-b0": "efficientnet_b0"}, TORCHVISION_EFFICIENTNET),
        Family({"se-regnety-400mf": "regnet_y_400mf"}, TORCHVISION_REGNET),
    ),
)  # fmt: skip

# moskomule/senet.pytorch: SE of linear maps without biases

MOSKOMULE = (
    ("conv.*", "conv1.*"),
    ("bn.*", "bn1.*"),
    ("*.se.fc1.*", "*.se.fc.0.*"),
    ("*.se.fc2.*", "*.se.fc.2.*"),
    *DOWNSAMPLE,
)
SENET_PYTORCH = Naming(
    "moskomule/senet.pytorch",
    (
        Family(
            _called(*_with_se(*BASIC, *DEEP), se="se_"),
            MOSKOMULE,
            {"stride_first": False, "bias": False},
            convolutions=(),
        ),
        *(
            Family(
                _called(f"se-resnet{depth}", se="se_"),
                MOSKOMULE,
                {"bias": False},
                _small(depth, "layer{stage}.{k}.*"),
                (),
            )
            for depth in (20, 32, 56)
        ),
    ),
)

# pytorchcv: units are counted from 1

UNIT = "features.stage*.unit*+1"
BODY = {f"conv{k}": f"body.conv{k}.conv" for k in (1, 2, 3)} | {
    f"bn{k}": f"body.conv{k}.bn" for k in (1, 2, 3)
}
IDENTITY = {"shortcut.0": "identity_conv.conv", "shortcut.1": "identity_conv.bn"}
PYTORCHCV_SE = {f"se.fc{k}": f"se.conv{k}" for k in (1, 2)}
PYTORCHCV_RESNET = (
    ("conv1.*", "features.init_block.conv.conv.*"),
    ("bn1.*", "features.init_block.conv.bn.*"),
    *_parts("layer*.*", UNIT, BODY | IDENTITY | PYTORCHCV_SE),
    ("fc.*", "output.*"),
)
PYTORCHCV_SMALL = (
    ("conv.*", "features.init_block.conv.*"),
    ("bn.*", "features.init_block.bn.*"),
    *_parts("features.*", "features.*", BODY | IDENTITY | PYTORCHCV_SE),
    ("fc.*", "output.*"),
)
PYTORCHCV_SENET = (
    *(
        (f"{part}{k}.*", f"features.init_block.conv{k}.{part}.*")
        for part in ("conv", "bn")
        for k in (1, 2, 3)
    ),
    *PYTORCHCV_RESNET[:-1],
    ("fc.*", "output.fc.*"),
)
PYTORCHCV_EFFICIENTNET = (
    ("stem.*", "features.init_block.conv.*"),
    *_parts(
        "features.stage1.*",
        "features.stage1.*",
        {"depthwise": "dw_conv", "project": "pw_conv"} | PYTORCHCV_SE,
    ),
    *_parts(
        "features.*",
        "features.*",
        {"expand": "conv1", "depthwise": "conv2", "project": "conv3"} | PYTORCHCV_SE,
    ),
    ("head.*", "features.final_block.*"),
    ("fc.*", "output.fc.*"),
)
# our stages 4 and 5 are one there, as are 6 and 7
MERGED = {1: (1, 0), 2: (2, 0), 3: (3, 0), 4: (4, 0), 5: (4, 3), 6: (5, 0), 7: (5, 4)}
PYTORCHCV_REGNET = (
    ("stem.*", "features.init_block.*"),
    *_parts(
        "stage*.*", UNIT, BODY | IDENTITY | {f"se.fc{k}": f"body.se.conv{k}" for k in (1, 2)}
    ),
    ("fc.*", "output.*"),
)  # fmt: skip
PYTORCHCV = Naming(
    "pytorchcv",
    (
        Family(
            _called(*BASIC, *DEEP, *RESNEXT, *_with_se(*BASIC, *DEEP, *RESNEXT)),
            PYTORCHCV_RESNET,
        ),
        Family(_called("senet154"), PYTORCHCV_SENET),
        *(
            Family(
                _called(f"resnet{depth}", f"se-resnet{depth}", after="_cifar10"),
                PYTORCHCV_SMALL,
                places=_small(depth, "features.stage{stage}.unit{unit}.*"),
            )
            for depth in (20, 56, 110)
        ),
        Family(
            {"se-efficientnet-b0": "efficientnet_b0"},
            PYTORCHCV_EFFICIENTNET,
            places=tuple(
                (f"stage{ours}.{k}.*", f"features.stage{stage}.unit{first + k + 1}.*")
                for ours, (stage, first) in MERGED.items()
                for k in range(4)
            ),
        ),
        Family({"se-regnety-400mf": "regnety004"}, PYTORCHCV_REGNET),
    ),
    {
        f"se-mobilenetv3-{size}": "pytorchcv's is another net, the first of its last two maps "
        "has no bias"
        for size in ("large", "small")
    },
)

# transformers: all is counted from 0

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
                *_parts(
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
                *_parts(
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

NAMINGS = {
    "timm": TIMM,
    "timm-legacy": LEGACY,
    "torchvision": TORCHVISION,
    "cadene": PRETRAINEDMODELS,
    "moskomule": SENET_PYTORCH,
    "pytorchcv": PYTORCHCV,
    "transformers": TRANSFORMERS,
}
