"""Caffe's nets by Cadene; timm has them as its legacy ones, and two more."""

from __future__ import annotations

from minise.models.libraries.rows import BASIC, DEEP, DOWNSAMPLE, RESNEXT, called, with_se
from minise.models.naming import Family, Naming

CADENE = (
    *((f"{part}{k}.*", f"layer0.{part}{k}.*") for part in ("conv", "bn") for k in (1, 2, 3)),
    ("*.se.*", "*.se_module.*"),
    *DOWNSAMPLE,
    ("fc.*", "last_linear.*"),
)
CAFFE = {"ceil_pool": True}
OF_CAFFE = (*with_se(*DEEP, *RESNEXT), "senet154")
LEGACY = Naming(
    "timm, its legacy ones",
    (
        Family(
            called(*with_se(*BASIC), before="legacy_"),
            CADENE,
            CAFFE | {"placement": "activated"},
        ),
        Family(called(*OF_CAFFE, before="legacy_"), CADENE, CAFFE),
    ),
)
PRETRAINEDMODELS = Naming(
    "Cadene/pretrained-models.pytorch",
    (
        Family(called(*OF_CAFFE, se="se_"), CADENE, CAFFE),
        Family(
            called(*BASIC, *DEEP), (*DOWNSAMPLE, CADENE[-1]), {"stride_first": False}
        ),
    ),
    {
        f"se-{name}": f"there is none; naming='timm-legacy' reads timm's legacy_se{name}"
        for name in BASIC
    },
)  # fmt: skip
