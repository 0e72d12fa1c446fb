import numpy as np
from hypothesis import strategies as st
from strategies import pool_cases, starts

from minise import ops
from rows.row import Call, Mutant, N, Row, one


@st.composite
def windows(draw, dtype, N):
    case = draw(pool_cases(dtype, N))
    options = dict(case.options)
    if options["stride"] == options["kernel_size"] and draw(st.booleans()):
        del options["stride"]
    return Call(case.x, **options)


@st.composite
def averaged_windows(draw, dtype, N):
    call = draw(windows(dtype, N))
    return Call(*call.arrays, **call.options, count_include_pad=draw(st.booleans()))


def max_pool2d(x, *, ceil_mode, **options):
    """The largest pixel that a window covers; padding is no pixel."""

    def largest(image, rows, columns):
        return max(
            float(image[h, v]) for h in inside(rows, image, 0) for v in inside(columns, image, 1)
        )

    return pooled(x, largest, ceil_mode, **options)


def avg_pool2d(x, *, padding, ceil_mode, count_include_pad, **options):
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

    return pooled(x, mean, ceil_mode, padding=padding, **options)


def inside(places, image, axis):
    return [k for k in places if 0 <= k < image.shape[axis]]


def pooled(x, summary, ceil_mode, *, kernel_size, padding, stride=None):
    stride = stride or kernel_size
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


def zeros_and_ones(**options):
    """Many pixels are the largest of their window."""
    return lambda rng: Call(rng.integers(0, 2, (2, 3, 4, 4)).astype(float), **options)


def every_largest_of_a_window(dx, dy, saved):
    x = saved.x
    windows = x.reshape(*x.shape[:2], 2, 2, 2, 2)  # (N, C, OH, 2, OW, 2)
    won = windows == windows.max(axis=(3, 5), keepdims=True)
    return np.where(won, dy[:, :, :, None, :, None], 0).reshape(x.shape)


def winner_is(index):
    return lambda right, dy, saved: right(
        dy, saved._replace(winner=np.full_like(saved.winner, index))
    )


OVERLAPPING = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
REFUSED = {
    r"padding \(2, 2\) is more than half of kernel_size": (
        ValueError,
        Call(np.zeros((1, 1, 8, 8)), 3, padding=2),
    ),
    "x is smaller than the window": (ValueError, Call(np.zeros((1, 1, 2, 8)), 3)),
}
ROWS = [
    Row(
        "max_pool2d",
        draw=windows,
        naive=max_pool2d,
        pytorch=lambda torch, x, **options: torch.nn.functional.max_pool2d(x, **options),
        sizes={
            "": Call((N, 3, 7, 5), kernel_size=2),
            "overlapping": Call((N, 2, 6, 9), **OVERLAPPING),
        },
        mutants={
            "every winner the first": Mutant("x", winner_is(0)),
            "overlaps written and not added": one(
                "x!", lambda dx, dy, s: np.clip(dx, dy.min(), dy.max()), of="overlapping"
            ),
            "shared out as an average": one(
                "x!", lambda dx, dy, s: ops.avg_pool2d_backward(dy, ops.avg_pool2d(s.x, 2)[1])
            ),
            "a tie given twice": one(
                "x!", every_largest_of_a_window, call=zeros_and_ones(kernel_size=2)
            ),
        },
        refused=REFUSED,
        large={"": Call((3, 4, 30, 31), kernel_size=3, stride=2, padding=1)},
        roundings=0,
    ),
    Row(
        "avg_pool2d",
        draw=averaged_windows,
        naive=avg_pool2d,
        pytorch=lambda torch, x, **options: torch.nn.functional.avg_pool2d(x, **options),
        sizes={
            "": Call((N, 3, 8, 5), kernel_size=(3, 2), stride=(2, 1)),
            "padded": Call((N, 2, 6, 9), **OVERLAPPING),
            "without padding": Call(
                (N, 2, 5, 5), kernel_size=2, padding=1, count_include_pad=False
            ),
        },
        mutants={
            "not divided": one("x!", lambda dx, dy, s: 4 * dx),
            "border divided by the whole window": Mutant(
                "x",
                lambda right, dy, s: right(dy, s._replace(pixels=np.full_like(s.pixels, 9))),
                "overlapping",
            ),
        },
        refused=REFUSED,
        large={"": Call((3, 4, 30, 31), kernel_size=2)},
    ),
]
