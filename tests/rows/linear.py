import numpy as np
from hypothesis import strategies as st
from strategies import arrays

from rows.row import Call, N, Row, one


@st.composite
def draw(draw, dtype, N):
    inputs, outputs = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    b = draw(st.none() | arrays((outputs,), dtype))
    return Call(draw(arrays((draw(N), inputs), dtype)), draw(arrays((outputs, inputs), dtype)), b)


def naive(x, w, b=None):
    y = np.zeros((len(x), len(w)))
    for n, k in np.ndindex(y.shape):
        y[n, k] = sum(float(x[n, i]) * float(w[k, i]) for i in range(w.shape[1]))
        y[n, k] += 0.0 if b is None else float(b[k])
    return y


ROWS = [
    Row(
        "linear",
        draw=draw,
        naive=naive,
        pytorch=lambda torch, *arrays: torch.nn.functional.linear(*arrays),
        sizes={"": Call((N, 5), (3, 5), (3,)), "large": Call((N, 300), (150, 300), (150,))},
        mutants={
            "weights for their transposed": one("x w! b", lambda dw, dy, s: dw.T.reshape(dw.shape)),
            "x without the weights": one(
                "x! w b", lambda dx, dy, s: np.repeat(dy.sum(axis=1)[:, None], 4, axis=1)
            ),
            "mean over the batch": one("x w! b", lambda dw, dy, s: dw / len(dy)),
            "bias averaged": one("x w b!", lambda db, dy, s: dy.mean(axis=0)),
            "sign": one("x! w b", lambda dx, dy, s: -dx),
        },
        refused={
            "x has 3 features, w expects 4": (ValueError, Call(np.zeros((2, 3)), np.zeros((5, 4)))),
            r"b has shape \(4,\)": (
                ValueError,
                Call(np.zeros((2, 4)), np.zeros((5, 4)), np.zeros(4)),
            ),
        },
        large={"": Call((70, 300), (65, 300), (65,))},
    )
]
