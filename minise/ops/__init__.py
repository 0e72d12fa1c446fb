"""The mathematics: every operation as a pair of plain functions, forward and backward.

`y, saved = operation(x, …)` and `dx = operation_backward(dy, saved)`. The code here is the
specification; faster versions of the same names live in `minise/kernels`.
"""

from minise.ops.activation import (
    hard_sigmoid,
    hard_sigmoid_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from minise.ops.add import add, add_backward
from minise.ops.concat import concat, concat_backward
from minise.ops.conv import conv2d, conv2d_backward
from minise.ops.linear import linear, linear_backward
from minise.ops.loss import softmax_cross_entropy, softmax_cross_entropy_backward
from minise.ops.norm import (
    BatchNormSaved,
    batch_norm,
    batch_norm_backward,
    batch_norm_relu,
    batch_norm_relu_backward,
)
from minise.ops.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from minise.ops.scale import (
    channel_scale,
    channel_scale_backward,
    multiply,
    multiply_backward,
    scale_add_relu,
    scale_add_relu_backward,
)
from minise.ops.squeeze import (
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
)

__all__ = [
    "BatchNormSaved",
    "add",
    "add_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_relu",
    "batch_norm_relu_backward",
    "channel_scale",
    "channel_scale_backward",
    "concat",
    "concat_backward",
    "conv2d",
    "conv2d_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "linear",
    "linear_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "multiply",
    "multiply_backward",
    "relu",
    "relu_backward",
    "scale_add_relu",
    "scale_add_relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "tanh",
    "tanh_backward",
]
