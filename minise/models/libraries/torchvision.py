"""torchvision: conv and bn are 0 and 1, and the parts of a block are counted."""

from __future__ import annotations

from minise.models import mobilenetv3
from minise.models.libraries.rows import BASIC, DEEP, DOWNSAMPLE, called, parts
from minise.models.naming import Family, Naming, Table


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
        for row in parts(
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
            called(*BASIC, *DEEP, "resnext50-32x4d"), DOWNSAMPLE, {"stride_first": False}
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
