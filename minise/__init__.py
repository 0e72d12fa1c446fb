"""Squeeze-and-Excitation networks from scratch on NumPy: every gradient by hand, and proved."""

from minise import backend, data, gradcheck, models, nn, ops, train
from minise.backend import set_num_threads
from minise.errors import InputError
from minise.layer_table import summary
from minise.nn import Residual, SEBlock

__all__ = [
    "InputError",
    "Residual",
    "SEBlock",
    "backend",
    "data",
    "gradcheck",
    "models",
    "nn",
    "ops",
    "set_num_threads",
    "summary",
    "train",
]

__version__ = "0.1.0"
