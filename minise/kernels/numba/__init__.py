"""Compiled loops for the processor, each named as the operation that it computes.

Every kernel takes arrays in any memory order and gives batch-last ones; see `layout`. Whoever
calls a kernel has checked shapes and dtypes: a compiled loop checks no bounds.
"""

from minise.kernels.numba.activation import (
    hard_sigmoid,
    hard_sigmoid_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from minise.kernels.numba.forms import conv2d, conv2d_backward
from minise.kernels.numba.linear import linear, linear_backward
from minise.kernels.numba.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_relu,
    batch_norm_relu_backward,
)
from minise.kernels.numba.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from minise.kernels.numba.scale import (
    add,
    channel_scale,
    channel_scale_backward,
    scale_add_relu,
    scale_add_relu_backward,
)
from minise.kernels.numba.squeeze import (
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
)

__all__ = [
    "add",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_relu",
    "batch_norm_relu_backward",
    "channel_scale",
    "channel_scale_backward",
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
    "relu",
    "relu_backward",
    "scale_add_relu",
    "scale_add_relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "tanh",
    "tanh_backward",
]
