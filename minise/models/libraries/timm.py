"""timm, without its legacy nets."""

from __future__ import annotations

from minise.models.libraries.rows import (
    BASIC,
    DEEP,
    DOWNSAMPLE,
    RESNEXT,
    called,
    parts,
    with_se,
)
from minise.models.naming import Family, Naming

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
    *parts("blocks.0.*", "blocks.0.*", TIMM_SEPARABLE),
    *parts("blocks.*", "blocks.*", TIMM_INVERTED | TIMM_SE),
)
TIMM_EFFICIENTNET = (
    *TIMM_MOBILE,
    ("head.conv.*", "conv_head.*"),
    ("head.bn.*", "bn2.*"),
    ("fc.*", "classifier.*"),
)
TIMM_REGNET = parts(
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
            called(*BASIC, *DEEP, *RESNEXT, *with_se(*BASIC, *DEEP, *RESNEXT)),
            DOWNSAMPLE,
            {"stride_first": False, "rounding": "timm"},
        ),
        Family(called("senet154"), TIMM_STEM + DOWNSAMPLE, {"rounding": "timm"}),
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
