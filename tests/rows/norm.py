import math

import numpy as np
from hypothesis import strategies as st
from strategies import arrays, normal_arrays, shapes_NCHW

from minise import ops
from rows.activation import number_by_number
from rows.row import Call, Mutant, N, Row, one


@st.composite
def draw(draw, dtype, N):
    """No two numbers of x are equal, nor images few: a tiny variance would magnify roundings."""
    shape = draw(shapes_NCHW(N=st.integers(4, 19)))
    mean, var = (draw(normal_arrays(shape[1:2], dtype)) for _ in range(2))
    return Call(
        draw(normal_arrays(shape, dtype)),
        *(draw(arrays(shape[1:2], dtype)) for _ in range(2)),
        statistics=draw(st.sampled_from([None, (mean, np.abs(var) + 1)])),
        eps=draw(st.sampled_from([1e-5, 0.5])),
    )


def batch_norm(x, w, b, *, statistics, eps):
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


def in_pytorch(torch, x, w, b, *, statistics, eps):
    mean, var = (None, None) if statistics is None else map(torch.tensor, statistics)
    from_batch = statistics is None
    return torch.nn.functional.batch_norm(x, mean, var, w, b, training=from_batch, eps=eps)


def fixed_statistics(right, dy, saved):
    return right(dy, saved._replace(from_batch=False))


def without_variance(right, dy, saved):
    _, dw, db = right(dy, saved)
    fixed = fixed_statistics(right, dy, saved)[0]
    return fixed - fixed.mean(axis=(0, 2, 3), keepdims=True), dw, db


def without_mean(right, dy, saved):
    dx, dw, db = right(dy, saved)
    fixed = fixed_statistics(right, dy, saved)[0]
    return dx + fixed.mean(axis=(0, 2, 3), keepdims=True), dw, db


def unbiased_variance(right, dy, saved):
    M = dy.size / dy.shape[1]
    return right(dy, saved._replace(var=saved.var * M / (M - 1)))


STATISTICS = (np.array([-1.0, 0.3, 2]), np.array([0.5, 1.2, 3]))
SIZES = {
    "": Call((N, 3, 7, 5), (3,), (3,)),
    "evaluation": Call((N, 3, 7, 5), (3,), (3,), statistics=STATISTICS),
}
REFUSED = {
    r"x \(1, 2, 1, 1\) has 1 values in a channel; .* need at least 2": (
        ValueError,
        Call(np.zeros((1, 2, 1, 1)), np.ones(2), np.zeros(2)),
    ),
    r"w has shape \(3,\), expected \(2,\) for x": (
        ValueError,
        Call(np.zeros((2, 2, 2, 2)), np.ones(3), np.zeros(2)),
    ),
}
ROWS = [
    Row(
        "batch_norm",
        draw=draw,
        naive=batch_norm,
        pytorch=in_pytorch,
        sizes=SIZES,
        mutants={
            "without the statistics' terms": Mutant("x", fixed_statistics),
            "without the variance's term": Mutant("x", without_variance),
            "without the mean's term": Mutant("x", without_mean),
            "unbiased variance": Mutant("x w", unbiased_variance),
            "weight's gradient from x, not x̂": one(
                "x w! b", lambda dw, dy, s: (dy * s.x).sum(axis=(0, 2, 3))
            ),
            "bias averaged": one("x w b!", lambda db, dy, s: dy.mean(axis=(0, 2, 3))),
            "as if in training": Mutant(
                "x", lambda right, dy, s: right(dy, s._replace(from_batch=True)), "evaluation"
            ),
        },
        refused=REFUSED,
        large={  # more images than one block sums, the last block with fewer
            "images": Call((50, 3, 20, 20), (3,), (3,)),
            "pixels": Call((3, 2, 100, 100), (2,), (2,)),
        },
        needs_images=True,
    ),
    Row(
        "batch_norm_relu",
        draw=draw,
        naive=lambda *arrays, **options: number_by_number(lambda v: max(v, 0.0))(
            batch_norm(*arrays, **options)
        ),
        pytorch=lambda torch, *arrays, **options: in_pytorch(torch, *arrays, **options).relu(),
        sizes=SIZES,
        mutants={
            "relu forgotten": Mutant(
                "x w b", lambda right, dy, s: ops.batch_norm_backward(dy, s.norm)
            ),
            "mask without the bias": Mutant(
                "x w b", lambda right, dy, s: right(dy, s._replace(b=0 * s.b))
            ),
        },
        refused=REFUSED,
        large={
            "images": Call((50, 3, 19, 21), (3,), (3,)),
            "evaluation": Call((30, 3, 20, 20), (3,), (3,), statistics=STATISTICS),
        },
        needs_images=True,
        kinked=True,
    ),
]
