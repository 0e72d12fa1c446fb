"""CUDA kernels for a GPU, started through CuPy, each named as the operation that it computes.

Every kernel takes arrays in any memory order and gives C-contiguous ones; `launch` says why. What
is one kernel of CuPy anyway, as a sum of two images is, has none here: then the specification runs.
"""

from minise.kernels.cupy.activation import (
    hard_sigmoid,
    hard_sigmoid_backward,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh_backward,
)
from minise.kernels.cupy.conv import conv2d, conv2d_backward
from minise.kernels.cupy.linear import linear, linear_backward
from minise.kernels.cupy.loss import softmax_cross_entropy
from minise.kernels.cupy.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_relu,
    batch_norm_relu_backward,
)
from minise.kernels.cupy.optimizers import adamw, sgd
from minise.kernels.cupy.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from minise.kernels.cupy.scale import (
    channel_scale,
    channel_scale_backward,
    scale_add_relu,
    scale_add_relu_backward,
)
from minise.kernels.cupy.squeeze import (
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
)

__all__ = [
    "adamw",
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
    "relu_backward",
    "scale_add_relu",
    "scale_add_relu_backward",
    "sgd",
    "sigmoid",
    "sigmoid_backward",
    "softmax_cross_entropy",
    "tanh_backward",
]
