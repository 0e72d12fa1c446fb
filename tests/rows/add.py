import numpy as np
from hypothesis import strategies as st
from strategies import arrays, arrays_NCHW

from rows.row import Call, N, Row, one


@st.composite
def draw(draw, dtype, N):
    x = draw(arrays_NCHW(dtype, N=N))
    return Call(x, draw(arrays(x.shape, dtype)))


def naive(x, r):
    return np.array([float(a) + float(b) for a, b in zip(x.flat, r.flat, strict=True)]).reshape(
        x.shape
    )


ROWS = [
    Row(
        "add",
        draw=draw,
        naive=naive,
        pytorch=lambda torch, x, r: x + r,
        sizes={"": Call((N, 3, 7, 5), (N, 3, 7, 5))},
        mutants={"one term left out": one("x r!", lambda dr, dy, s: np.zeros_like(dy))},
        refused={
            r"r has shape \(2, 1, 2, 2\), x has \(2, 3, 2, 2\)": (
                ValueError,
                Call(np.ones((2, 3, 2, 2)), np.ones((2, 1, 2, 2))),
            ),
            r"x has shape \(2, 3\), expected \(N, C, H, W\)": (
                ValueError,
                Call(np.ones((2, 3)), np.ones((2, 3))),
            ),
        },
        batched=2,
    )
]
