"""Code that only moves numbers."""

import numpy as np

from planted.fault import Code, Fault, normal


def flatten_forward(x):
    """(N, C, H, W) -> (N, C·H·W)."""
    return x.reshape(len(x), -1), x.shape


def flatten_backward(dout, cache):
    return dout.reshape(cache)


def channels_last_forward(x):
    """(N, C, H, W) -> (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1), x.shape


def channels_last_backward(dout, cache):
    return dout.transpose(0, 3, 1, 2)


def concat_forward(a, b):
    """(N, C, H, W) twice -> (N, 2C, H, W)."""
    return np.concatenate([a, b], axis=1), a.shape[1]


def concat_backward(dout, cache):
    first = cache
    return dout[:, :first], dout[:, first:]


def heads_forward(x, heads):
    """(N, T, heads·D) -> (N, heads, T, D)."""
    N, T, _ = x.shape
    return x.reshape(N, T, heads, -1).transpose(0, 2, 1, 3), x.shape


def heads_backward(dout, cache):
    return dout.transpose(0, 2, 1, 3).reshape(cache)


FLATTEN = Code(flatten_forward, flatten_backward, normal((2, 3, 4, 5)))
CHANNELS_LAST = Code(channels_last_forward, channels_last_backward, normal((2, 3, 4, 5)))
CHANNELS_LAST_SQUARE = CHANNELS_LAST.on("C = H = W", (2, 3, 3, 3))
CONCAT = Code(concat_forward, concat_backward, normal((2, 3, 2, 4), (2, 3, 2, 4)))
HEADS = Code(heads_forward, heads_backward, normal((2, 3, 8), 4))

FAULTS = [
    Fault(FLATTEN, "reshape(cache)", 'reshape(cache, order="F")', x="in the other order"),
    Fault(
        FLATTEN, "dout.reshape(cache)", "dout.T.reshape(cache)", x="right numbers in wrong places"
    ),
    Fault(
        CHANNELS_LAST,
        "transpose(0, 3, 1, 2)",
        "reshape(cache)",
        x="reshape where a transpose is needed",
    ),
    Fault(CHANNELS_LAST_SQUARE, "0, 3, 1, 2", "0, 2, 3, 1", x="transposed: right with its axes"),
    Fault(
        CHANNELS_LAST_SQUARE, "0, 3, 1, 2", "0, 3, 2, 1", x="transposed: right with axes 2 and 3"
    ),
    Fault(
        CONCAT,
        "dout[:, :first], dout[:, first:]",
        "dout[:, first:], dout[:, :first]",
        a="exchanged",
        b="exchanged",
    ),
    Fault(
        CONCAT,
        "dout[:, :first], dout[:, first:]",
        "dout[:, ::2], dout[:, 1::2]",
        a="of other places",
        b="of other places",
    ),
    Fault(
        HEADS,
        "dout.transpose(0, 2, 1, 3).reshape(cache)",
        "dout.reshape(cache)",
        x="right numbers in wrong places",
    ),
]
