import numpy as np
from hypothesis import strategies as st
from strategies import arrays, arrays_NCHW

from rows.row import Call, Mutant, N, Row, one


@st.composite
def with_gates(draw, dtype, N):
    x = draw(arrays_NCHW(dtype, N=N))
    return Call(x, draw(arrays(x.shape[:2], dtype)))


@st.composite
def with_gates_for_pixels(draw, dtype, N):
    x = draw(arrays_NCHW(dtype, N=N))
    C = draw(st.sampled_from([1, x.shape[1]]))
    return Call(x, draw(arrays((len(x), C, *x.shape[2:]), dtype)))


@st.composite
def with_shortcut(draw, dtype, N):
    x, s = draw(with_gates(dtype, N)).arrays
    return Call(x, s, draw(arrays(x.shape, dtype)))


def pixel_by_pixel(number):
    """y[n, c, h, v] = number(n, c, h, v, *arrays)."""

    def naive(x, *arrays):
        y = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            y[place] = number(place, x, *arrays)
        return y

    return naive


def scaled(place, x, s):
    return float(s[place[:2]]) * float(x[place])


def multiplied(place, x, s):
    n, c, h, v = place
    return float(x[place]) * float(s[n, c if s.shape[1] > 1 else 0, h, v])


X, NO_GATES = np.ones((2, 3, 4, 5)), r"s has shape \(2, 4\), expected \(2, 3\) for x"
ROWS = [
    Row(
        "channel_scale",
        draw=with_gates,
        naive=pixel_by_pixel(scaled),
        pytorch=lambda torch, x, s: x * s[:, :, None, None],
        sizes={"": Call((N, 3, 7, 5), (N, 3))},
        mutants={
            "mean for the sum over H·W": one(
                "x s!", lambda ds, dy, s: (dy * s.x).mean(axis=(2, 3))
            ),
            "sum over W alone": one("x s!", lambda ds, dy, s: (dy * s.x)[:, :, 0].sum(axis=2)),
            "not scaled": one("x! s", lambda dx, dy, s: dy),
            "g / dy for g · dy": one("x! s", lambda dx, dy, s: s.s[:, :, None, None] / dy),
            "dy left out of the gate": one("x s!", lambda ds, dy, s: s.x.sum(axis=(2, 3))),
            "gates of the next channel": one(
                "x! s", lambda dx, dy, s: dy * np.roll(s.s, 1, 1)[:, :, None, None]
            ),
        },
        refused={NO_GATES: (ValueError, Call(X, np.ones((2, 4))))},
        large={"whole": Call((5, 3, 38, 40), (5, 3)), "odd": Call((5, 3, 37, 39), (5, 3))},
        batched=2,
    ),
    Row(
        "multiply",
        draw=with_gates_for_pixels,
        naive=pixel_by_pixel(multiplied),
        pytorch=lambda torch, x, s: x * s,
        mutants={
            "factors exchanged": one("x! s", lambda dx, dy, s: dy * s.x),
            "not summed over the channels": one(
                "x s!", lambda ds, dy, s: (dy * s.x)[:, :1], of="one gate for a pixel"
            ),
        },
        refused={
            r"s has shape \(2, 3\), expected": (ValueError, Call(X, np.ones((2, 3)))),
            r"s .* expected \(2, 3, 4, 5\) or \(2, 1, 4, 5\)": (
                ValueError,
                Call(X, np.ones((1, 3, 4, 5))),
            ),
        },
        batched=2,
    ),
    Row(
        "scale_add_relu",
        draw=with_shortcut,
        naive=pixel_by_pixel(
            lambda place, x, s, r: max(scaled(place, x, s) + float(r[place]), 0.0)
        ),
        pytorch=lambda torch, x, s, r: (x * s[:, :, None, None] + r).relu(),
        sizes={"": Call((N, 3, 7, 5), (N, 3), (N, 3, 7, 5))},
        mutants={
            "mask of x": Mutant("x s r", lambda right, dy, s: right(dy, s._replace(y=s.x))),
            "shortcut scaled too": one("x s r!", lambda dr, dy, s: dr * s.s[:, :, None, None]),
            "relu forgotten for the gate": one(
                "x s! r", lambda ds, dy, s: (dy * s.x).sum(axis=(2, 3))
            ),
        },
        refused={
            NO_GATES: (ValueError, Call(X, np.ones((2, 4)), X)),
            r"r has shape \(2, 3, 4, 4\), x has": (
                ValueError,
                Call(X, np.ones((2, 3)), X[..., 1:]),
            ),
        },
        large={"": Call((4, 3, 40, 40), (4, 3), (4, 3, 40, 40))},
        batched=3,
        kinked=True,
    ),
]
