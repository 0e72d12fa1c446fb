"""The mathematics: every operation as a pair of plain functions, forward and backward.

`y, saved = operation(x, …)` and `dx = operation_backward(dy, saved)`. The code here is the
specification; faster versions of the same names live in `minise/kernels`.
"""

import inspect

from minise.ops.activation import *
from minise.ops.add import *
from minise.ops.concat import *
from minise.ops.conv import *
from minise.ops.linear import *
from minise.ops.loss import *
from minise.ops.norm import *
from minise.ops.pool import *
from minise.ops.scale import *
from minise.ops.squeeze import *

# what the files above export: not the files themselves
__all__ = sorted(
    name for name, value in globals().items() if name[0] != "_" and not inspect.ismodule(value)
)
