import numpy as np
from hypothesis import strategies as st
from strategies import arrays, shapes_NCHW

from rows.row import Call, N, Row, one


@st.composite
def draw(draw, dtype, N):
    batch, _, *sizes = draw(shapes_NCHW(N=N))
    channels = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    return Call(*(draw(arrays((batch, C, *sizes), dtype)) for C in channels))


def naive(*arrays):
    N, *sizes = arrays[0].shape[0], *arrays[0].shape[2:]
    y = np.zeros((N, sum(array.shape[1] for array in arrays), *sizes))
    for n in range(N):
        maps = [array[n, c] for array in arrays for c in range(array.shape[1])]
        for c, one_map in enumerate(maps):
            y[n, c] = one_map
    return y


ROWS = [
    Row(
        "concat",
        draw=draw,
        naive=naive,
        pytorch=lambda torch, *arrays: torch.cat(arrays, dim=1),
        sizes={"": Call((N, 3, 7, 5), (N, 2, 7, 5))},
        mutants={
            "parts exchanged": one("arrays[0] arrays[1]! arrays[2]", lambda dx, dy, s: dy[:, :3])
        },
        refused={
            "shapes may differ in axis 1 alone": (
                ValueError,
                Call(np.zeros((2, 1, 3, 3)), np.zeros((2, 1, 3, 4))),
            ),
            "nothing to join": (ValueError, Call()),
        },
        batched=3,
        roundings=0,
    )
]
