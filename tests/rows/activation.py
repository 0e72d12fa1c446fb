import math

import numpy as np
from hypothesis import strategies as st
from strategies import arrays, shapes_NCHW

from minise import ops
from rows.row import Call, Mutant, N, Row, one


@st.composite
def draw(draw, dtype, N):
    """Images or rows; up to where exp would overflow."""
    shape = draw(shapes_NCHW(N=N) | st.tuples(N, st.integers(1, 3)))
    return Call(draw(st.sampled_from([1, 3, 10, 800])) * draw(arrays(shape, dtype)))


def number_by_number(function):
    return lambda x: np.array([function(float(v)) for v in x.flat]).reshape(x.shape)


def row(operation, number, pytorch, mutants, **others):
    return Row(
        operation,
        draw=draw,
        naive=number_by_number(number),
        pytorch=pytorch,
        sizes={"images": Call((N, 3, 29, 49)), "rows": Call((N, 4099))},
        mutants=mutants,
        refused={"x is int64, expected float32": (TypeError, Call(np.zeros(3, int)))},
        large={"": Call((3, 4, 30, 31))},
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
        lambda v: min(1.0, max(0.0, v / 6 + 0.5)),
        # PyTorch's own multiplies by a sixth in float32, even for float64 (2.13)
        lambda torch, x: torch.nn.functional.relu6(x + 3) / 6,
        {
            "without the sixth": one("x!", lambda dx, dy, s: 6 * dx),
            "never cut off": one("x!", lambda dx, dy, s: dy / 6),
        },
        bounded=True,
    ),
]
