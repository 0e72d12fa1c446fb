"""Operations as plain loops over single numbers, straight from their definitions.

Nothing here is taken from minise: it is what the operations are judged by. All of it computes in
float64 and gives a float64 array.
"""

import math

import numpy as np


def conv2d(x, w, b=None, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Walk over the padded image: each place of the window is one output pixel."""
    (N, C, H, W), (F, of_group, KH, KW) = x.shape, w.shape
    OH = len(starts(H, dilation[0] * (KH - 1) + 1, stride[0], padding[0]))
    OW = len(starts(W, dilation[1] * (KW - 1) + 1, stride[1], padding[1]))
    y = np.zeros((N, F, OH, OW))
    for n, f, oh, ow in np.ndindex(y.shape):
        total = 0.0 if b is None else float(b[f])
        first_channel = f // (F // groups) * (C // groups)
        for c, i, j in np.ndindex(of_group, KH, KW):
            h = oh * stride[0] - padding[0] + i * dilation[0]
            v = ow * stride[1] - padding[1] + j * dilation[1]
            if 0 <= h < H and 0 <= v < W:
                total += float(x[n, first_channel + c, h, v]) * float(w[f, c, i, j])
        y[n, f, oh, ow] = total
    return y


def starts(size, kernel, stride, padding, ceil_mode=False):
    """Where a window begins along one axis, place by place, until it would leave the padding.

    With `ceil_mode` one more place follows if pixels or padding are left over, but only where it
    begins before the padding on the right.
    """
    found, start = [], -padding
    while start + kernel <= size + padding:
        found.append(start)
        start += stride
    if ceil_mode and found and found[-1] + kernel < size + padding and start < size:
        found.append(start)
    return found


def max_pool2d(x, kernel_size, stride, padding=(0, 0), *, ceil_mode=False):
    """The largest pixel that a window covers; padding is no pixel."""

    def largest(image, rows, columns):
        return max(
            float(image[h, v]) for h in inside(rows, image, 0) for v in inside(columns, image, 1)
        )

    return _pool(x, kernel_size, stride, padding, ceil_mode, largest)


def avg_pool2d(x, kernel_size, stride, padding=(0, 0), *, ceil_mode=False, count_include_pad=True):
    """The mean of what a window covers: pixels, and zeros of padding if those are counted."""

    def mean(image, rows, columns):
        numbers = [
            float(image[h, v]) for h in inside(rows, image, 0) for v in inside(columns, image, 1)
        ]
        count = len(numbers)
        if count_include_pad:
            count = len(padded(rows, image, 0)) * len(padded(columns, image, 1))
        return sum(numbers) / count

    def padded(places, image, axis):
        return [k for k in places if k < image.shape[axis] + padding[axis]]

    return _pool(x, kernel_size, stride, padding, ceil_mode, mean)


def inside(places, image, axis):
    return [k for k in places if 0 <= k < image.shape[axis]]


def _pool(x, kernel_size, stride, padding, ceil_mode, summary):
    down, across = (
        starts(x.shape[2 + axis], kernel_size[axis], stride[axis], padding[axis], ceil_mode)
        for axis in (0, 1)
    )
    y = np.zeros((*x.shape[:2], len(down), len(across)))
    for n, c, oh, ow in np.ndindex(y.shape):
        rows = range(down[oh], down[oh] + kernel_size[0])
        columns = range(across[ow], across[ow] + kernel_size[1])
        y[n, c, oh, ow] = summary(x[n, c], rows, columns)
    return y


def global_avg_pool(x):
    N, C, H, W = x.shape
    return np.array(
        [[math.fsum(x[n, c].flat) / (H * W) for c in range(C)] for n in range(N)]
    ).reshape(N, C)


def global_max_pool(x):
    N, C = x.shape[:2]
    return np.array([[max(map(float, x[n, c].flat)) for c in range(C)] for n in range(N)]).reshape(
        N, C
    )


def linear(x, w, b=None):
    y = np.zeros((len(x), len(w)))
    for n, k in np.ndindex(y.shape):
        y[n, k] = sum(float(x[n, i]) * float(w[k, i]) for i in range(w.shape[1]))
        y[n, k] += 0.0 if b is None else float(b[k])
    return y


SCALARS = {
    "relu": lambda v: v if v > 0 else 0.0,
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)) if v > -700 else 0.0,
    "tanh": math.tanh,
    "hard_sigmoid": lambda v: min(1.0, max(0.0, v / 6 + 0.5)),
}


def activation(name, x):
    """One of `SCALARS`, number by number."""
    return np.array([SCALARS[name](float(v)) for v in x.flat]).reshape(x.shape)


def add(x, r):
    return np.array([float(a) + float(b) for a, b in zip(x.flat, r.flat, strict=True)]).reshape(
        x.shape
    )


def concat(*arrays):
    N, *sizes = arrays[0].shape[0], *arrays[0].shape[2:]
    y = np.zeros((N, sum(array.shape[1] for array in arrays), *sizes))
    for n in range(N):
        maps = [array[n, c] for array in arrays for c in range(array.shape[1])]
        for c, one in enumerate(maps):
            y[n, c] = one
    return y


def channel_scale(x, s):
    y = np.zeros(x.shape)
    for n, c, h, v in np.ndindex(x.shape):
        y[n, c, h, v] = float(s[n, c]) * float(x[n, c, h, v])
    return y


def scale_add_relu(x, s, r):
    return activation("relu", add(channel_scale(x, s), r))


def batch_norm(x, w, b, *, statistics=None, eps=1e-5):
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        numbers = [float(v) for v in x[:, c].flat]
        if statistics is None:
            mean = math.fsum(numbers) / len(numbers)
            var = math.fsum((v - mean) ** 2 for v in numbers) / len(numbers)
        else:
            mean, var = (float(of_channels[c]) for of_channels in statistics)
        normal = [(v - mean) / math.sqrt(var + eps) for v in numbers]
        y[:, c] = np.reshape([float(w[c]) * v + float(b[c]) for v in normal], y[:, c].shape)
    return y


def batch_norm_relu(x, w, b, *, statistics=None, eps=1e-5):
    return activation("relu", batch_norm(x, w, b, statistics=statistics, eps=eps))


def softmax_cross_entropy(scores, labels, label_smoothing=0.0):
    N, K = scores.shape
    losses = []
    for n in range(N):
        row = [float(v) for v in scores[n]]
        log_sum = max(row) + math.log(math.fsum(math.exp(v - max(row)) for v in row))
        wanted = [label_smoothing / K + (1 - label_smoothing) * (k == labels[n]) for k in range(K)]
        losses.append(math.fsum(q * (log_sum - v) for q, v in zip(wanted, row, strict=True)))
    return math.fsum(losses) / N


def se_block(x, w1, b1, w2, b2, *, squeeze="avg", gate="sigmoid"):
    """Squeeze, excitation, scale (Hu et al., section 3)."""
    average, largest = global_avg_pool(x), global_max_pool(x)
    z = {"avg": average, "max": largest, "avg+max": (average + largest) / 2}[squeeze]
    s = activation(gate, linear(activation("relu", linear(z, w1, b1)), w2, b2))
    return channel_scale(x, s)
