"""The tables of names, by library and family of nets.

Each was compared with the released package by tests/oracle/released.
"""

from minise.models.libraries.caffe import LEGACY, PRETRAINEDMODELS
from minise.models.libraries.moskomule import SENET_PYTORCH
from minise.models.libraries.pytorchcv import PYTORCHCV
from minise.models.libraries.timm import TIMM
from minise.models.libraries.torchvision import TORCHVISION
from minise.models.libraries.transformers import TRANSFORMERS

NAMINGS = {
    "timm": TIMM,
    "timm-legacy": LEGACY,
    "torchvision": TORCHVISION,
    "cadene": PRETRAINEDMODELS,
    "moskomule": SENET_PYTORCH,
    "pytorchcv": PYTORCHCV,
    "transformers": TRANSFORMERS,
}
