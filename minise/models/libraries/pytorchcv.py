"""pytorchcv: units are counted from 1."""

from __future__ import annotations

from minise.models.libraries.rows import BASIC, DEEP, RESNEXT, called, parts, small, with_se
from minise.models.naming import Family, Naming

UNIT = "features.stage*.unit*+1"
BODY = {f"conv{k}": f"body.conv{k}.conv" for k in (1, 2, 3)} | {
    f"bn{k}": f"body.conv{k}.bn" for k in (1, 2, 3)
}
IDENTITY = {"shortcut.0": "identity_conv.conv", "shortcut.1": "identity_conv.bn"}
PYTORCHCV_SE = {f"se.fc{k}": f"se.conv{k}" for k in (1, 2)}
PYTORCHCV_RESNET = (
    ("conv1.*", "features.init_block.conv.conv.*"),
    ("bn1.*", "features.init_block.conv.bn.*"),
    *parts("layer*.*", UNIT, BODY | IDENTITY | PYTORCHCV_SE),
    ("fc.*", "output.*"),
)
PYTORCHCV_SMALL = (
    ("conv.*", "features.init_block.conv.*"),
    ("bn.*", "features.init_block.bn.*"),
    *parts("features.*", "features.*", BODY | IDENTITY | PYTORCHCV_SE),
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
    *parts(
        "features.stage1.*",
        "features.stage1.*",
        {"depthwise": "dw_conv", "project": "pw_conv"} | PYTORCHCV_SE,
    ),
    *parts(
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
    *parts(
        "stage*.*", UNIT, BODY | IDENTITY | {f"se.fc{k}": f"body.se.conv{k}" for k in (1, 2)}
    ),
    ("fc.*", "output.*"),
)  # fmt: skip
PYTORCHCV = Naming(
    "pytorchcv",
    (
        Family(
            called(*BASIC, *DEEP, *RESNEXT, *with_se(*BASIC, *DEEP, *RESNEXT)),
            PYTORCHCV_RESNET,
        ),
        Family(called("senet154"), PYTORCHCV_SENET),
        *(
            Family(
                called(f"resnet{depth}", f"se-resnet{depth}", after="_cifar10"),
                PYTORCHCV_SMALL,
                places=small(depth, "features.stage{stage}.unit{unit}.*"),
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
