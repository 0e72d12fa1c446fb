"""Layers with their parameters, the SE block, and the blocks built on it."""

import inspect

from minise.nn.activations import *
from minise.nn.conv_norm import *
from minise.nn.inception import *
from minise.nn.init import *
from minise.nn.inverted import *
from minise.nn.layer import *
from minise.nn.layers import *
from minise.nn.observe import *
from minise.nn.pooling import *
from minise.nn.presets import *
from minise.nn.relatives import *
from minise.nn.residual import *
from minise.nn.se import *
from minise.nn.widths import *

# what the files above export: not the files themselves
__all__ = sorted(
    name for name, value in globals().items() if name[0] != "_" and not inspect.ismodule(value)
)
