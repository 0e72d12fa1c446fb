import math

import numpy as np
from hypothesis import strategies as st
from strategies import arrays, shapes_NCHW

from minise import ops
from rows.row import Call, Mutant, N, Row, one


def drawn(options):
    """Images or rows; up to where exp would overflow. `options` draws the operation's."""

    @st.composite
    def draw(draw, dtype, N):
        shape = draw(shapes_NCHW(N=N) | st.tuples(N, st.integers(1, 3)))
        x = draw(st.sampled_from([1, 3, 10, 800])) * draw(arrays(shape, dtype))
        return Call(x, **draw(options))

    return draw


def number_by_number(function):
    return lambda x, **options: np.array([function(float(v), **options) for v in x.flat]).reshape(
        x.shape
    )


def row(operation, number, pytorch, mutants, options=({},), **others):
    """`options` are those that it is called with, in turn."""
    return Row(
        operation,
        draw=drawn(st.sampled_from(options)),
        naive=number_by_number(number),
        pytorch=pytorch,
        sizes={
            "images": Call((N, 3, 29, 49), **options[0]),
            "rows": Call((N, 4099), **options[-1]),
        },
        mutants=mutants,
        refused={"x is int64, expected float32": (TypeError, Call(np.zeros(3, int), **options[0]))},
        large={"": Call((3, 4, 30, 31), **options[0])},
        **others,
    )


ROWS = [
    row(
        "relu",
        lambda v: v if v > 0 else 0.0,
        lambda torch, x: torch.relu(x),
        {
            "mask of dy": Mutant("x", lambda right, dy, s: np.where(dy > 0, dy, 0)),
            "mask turned": one("x!", lambda dx, dy, s: dy - dx),
            "lets everything through": one("x!", lambda dx, dy, s: dy),
            "leaky": one("x!", lambda dx, dy, s: np.where(s.y > 0, dy, 0.01 * dy)),
            "twice as steep at 0": one(
                "x!",
                lambda dx, dy, s: dx + 2.0 * dy * (s.y == 0),
                call=lambda rng: Call(np.array([0.0, 1.0, 2.0])),
            ),
        },
    ),
    row(
        "sigmoid",
        lambda v: 1 / (1 + math.exp(-v)) if v > -700 else 0.0,
        lambda torch, x: torch.sigmoid(x),
        {
            "(1 − s) missing": one("x!", lambda dx, dy, s: dy * s.y),
            "without dy": one("x!", lambda dx, dy, s: s.y * (1 - s.y)),
            "of its output again": one(
                "x!", lambda dx, dy, s: ops.sigmoid_backward(dy, ops.sigmoid(s.y)[1])
            ),
        },
        bounded=True,
    ),
    row(
        "tanh",
        math.tanh,
        lambda torch, x: torch.tanh(x),
        {
            "1 − y for 1 − y²": one("x!", lambda dx, dy, s: dy * (1 - s.y)),
            "divided by dy": one("x!", lambda dx, dy, s: (1 - s.y**2) / dy),
        },
        bounded=True,
    ),
    row(
        "hard_sigmoid",
        lambda v, width: min(1.0, max(0.0, v / width + 0.5)),
        # PyTorch's own multiplies by a sixth in float32, even for float64 (2.13)
        lambda torch, x, width: torch.nn.functional.hardtanh(x / width + 0.5, 0, 1),
        {
            "without the sixth": one("x!", lambda dx, dy, s: 6 * dx),
            "never cut off": one("x!", lambda dx, dy, s: dy / 6),
            "the slope of the other": one("x!", lambda dx, dy, s: dx * 5 / 6, of="width 5"),
            "the ends of the other": one(
                "x!", lambda dx, dy, s: np.where(np.abs(s.x) < 3, dy / 5, 0), of="width 5"
            ),
        },
        options=({"width": 6}, {"width": 5}),
        bounded=True,
    ),
    row(
        "silu",
        lambda v: v / (1 + math.exp(-v)) if v > -700 else 0.0,
        lambda torch, x: torch.nn.functional.silu(x),
        {
            "the gate alone": one("x!", lambda dx, dy, s: dy * ops.sigmoid(s.x)[0]),
            "x (1 − σ(x)) without 1 +": one("x!", lambda dx, dy, s: dx - dy * ops.sigmoid(s.x)[0]),
            "the slope of sigmoid": one(
                "x!", lambda dx, dy, s: ops.sigmoid_backward(dy, ops.sigmoid(s.x)[1])
            ),
            "without x before (1 − σ(x))": one(
                "x!",
                lambda dx, dy, s: dy * ops.sigmoid(s.x)[0] * (2 - ops.sigmoid(s.x)[0]),
            ),
        },
    ),
    row(
        "hard_swish",
        lambda v: v * min(1.0, max(0.0, v / 6 + 0.5)),
        lambda torch, x: torch.nn.functional.hardswish(x),
        {
            "the gate alone": one("x!", lambda dx, dy, s: dy * ops.hard_sigmoid(s.x)[0]),
            "0 beyond 3 as well": one("x!", lambda dx, dy, s: np.where(s.x < 3, dx, 0)),
            "never cut off": one("x!", lambda dx, dy, s: dy * (s.x / 3 + 0.5)),
            "a sixth for a third": one(
                "x!", lambda dx, dy, s: np.where(np.abs(s.x) < 3, dy * (s.x / 6 + 0.5), dx)
            ),
        },
    ),
    row(
        "leaky_relu",
        lambda v, slope: v if v > 0 else slope * v,
        lambda torch, x, slope: torch.nn.functional.leaky_relu(x, slope),
        {
            "relu": one("x!", lambda dx, dy, s: np.where(s.x > 0, dy, 0)),
            "lets everything through": one("x!", lambda dx, dy, s: dy),
            "divided by the slope": one(
                "x!", lambda dx, dy, s: np.where(s.x > 0, dy, dy / s.slope)
            ),
        },
        options=({"slope": 0.01}, {"slope": 0.3}),
    ),
    row(
        "clip",
        lambda v, low, high: min(high, max(low, v)),
        # torch.clamp has a derivative of 1 at its bounds
        lambda torch, x, low, high: torch.nn.functional.hardtanh(x, low, high),
        {
            "lets everything through": one("x!", lambda dx, dy, s: dy),
            "no upper bound": one("x!", lambda dx, dy, s: np.where(s.x > s.low, dy, 0)),
            "no lower bound": one("x!", lambda dx, dy, s: np.where(s.x < s.high, dy, 0)),
        },
        options=({"low": 0, "high": 6}, {"low": -0.7, "high": 0.9}),
        bounded=True,
    ),
]
