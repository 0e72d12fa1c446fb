"""moskomule/senet.pytorch: SE of linear maps without biases."""

from __future__ import annotations

from minise.models.libraries.rows import BASIC, DEEP, DOWNSAMPLE, called, small, with_se
from minise.models.naming import Family, Naming

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
            called(*with_se(*BASIC, *DEEP), se="se_"),
            MOSKOMULE,
            {"stride_first": False, "bias": False},
            convolutions=(),
        ),
        *(
            Family(
                called(f"se-resnet{depth}", se="se_"),
                MOSKOMULE,
                {"bias": False},
                small(depth, "layer{stage}.{k}.*"),
                (),
            )
            for depth in (20, 32, 56)
        ),
    ),
)
