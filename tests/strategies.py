"""What hypothesis draws: arrays named by their axes, geometries of windows; and memory layouts."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from minise.kernels.numba.lanes import LANES

DTYPES = st.sampled_from([np.float32, np.float64])
# no images, too few to fill a register of the compiled loops, and enough with any number left over
BATCHES = st.integers(0, 3) | st.integers(0, 2 * LANES + 1)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def arrays(draw, shape, dtype=np.float64):
    """Normal numbers, or small whole ones, of which many are equal and some are 0."""
    rng = generator(draw(SEEDS), 0, shape)
    if draw(st.booleans()):
        return rng.integers(-3, 4, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def normal_arrays(shape, dtype=np.float64):
    """Normal numbers, no two of them equal, nor equal to those of `arrays`."""
    return SEEDS.map(lambda seed: generator(seed, 1, shape).standard_normal(shape).astype(dtype))


def generator(seed, stream, shape):
    """One of its own for each shape: hypothesis likes to draw the same seed for several arrays."""
    return np.random.default_rng([seed, stream, *shape])


def shapes_NCHW(N=BATCHES, most_channels=4, most_pixels=6):
    return st.tuples(
        N,
        st.integers(1, most_channels),
        st.integers(1, most_pixels),
        st.integers(1, most_pixels),
    )


def arrays_NCHW(dtype=np.float64, **sizes):
    return shapes_NCHW(**sizes).flatmap(lambda shape: arrays(shape, dtype))


def arrays_like(x):
    """A cotangent, say: normal numbers in the shape and dtype of x."""
    return normal_arrays(x.shape, x.dtype)


class Axis(NamedTuple):
    """How a window slides along one axis: the sizes it goes with, and its options."""

    size: int
    output: int
    kernel: int
    stride: int
    padding: int
    dilation: int


@st.composite
def conv_axes(draw, most_places=3, most_stride=3, most_padding=3):
    """Drawn from the output to the input, so that a stride leaves each remainder as often."""
    kernel, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    output, stride = draw(st.integers(1, most_places)), draw(st.integers(1, most_stride))
    remainder = draw(st.integers(0, stride - 1))
    covered = (output - 1) * stride + dilation * (kernel - 1) + 1 + remainder
    padding = draw(st.integers(0, min(most_padding, (covered - 1) // 2)))
    return Axis(covered - 2 * padding, output, kernel, stride, padding, dilation)


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


def brief(case):
    """Shapes and options: a failing example with all its numbers would fill pages."""
    fields = ((name, getattr(value, "shape", value)) for name, value in case._asdict().items())
    return f"{type(case).__name__}({', '.join(f'{name}={value}' for name, value in fields)})"


class ConvCase(NamedTuple):
    x: np.ndarray  # (N, C, H, W)
    w: np.ndarray  # (F, C / groups, KH, KW)
    b: np.ndarray | None  # (F,)
    dy: np.ndarray  # (N, F, OH, OW)
    options: dict

    def __repr__(self):
        return brief(self)


@st.composite
def conv_cases(draw, dtype=np.float64, N=BATCHES, most_filters=3, **axis):
    """A convolution with stride, padding, dilation and groups, and its cotangent."""
    down, across = draw(conv_axes(**axis)), draw(conv_axes(**axis))
    groups, of_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    batch, F = draw(N), groups * draw(st.integers(1, most_filters))
    return ConvCase(
        draw(arrays((batch, groups * of_group, down.size, across.size), dtype)),
        draw(arrays((F, of_group, down.kernel, across.kernel), dtype)),
        draw(arrays((F,), dtype)) if draw(st.booleans()) else None,
        draw(normal_arrays((batch, F, down.output, across.output), dtype)),
        {
            "stride": (down.stride, across.stride),
            "padding": (down.padding, across.padding),
            "dilation": (down.dilation, across.dilation),
            "groups": groups,
        },
    )


class PoolCase(NamedTuple):
    x: np.ndarray  # (N, C, H, W)
    dy: np.ndarray  # (N, C, OH, OW)
    options: dict

    def __repr__(self):
        return brief(self)


@st.composite
def pool_cases(draw, dtype=np.float64, N=BATCHES):
    """A pooling whose windows overlap, touch or leave gaps, and its cotangent."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(draw(st.integers(k, 7)) for k in kernel)
    ceil_mode = draw(st.booleans())
    output = (
        len(starts(*axis, ceil_mode)) for axis in zip(size, kernel, stride, padding, strict=True)
    )
    batch, C = draw(N), draw(st.integers(1, 3))
    return PoolCase(
        draw(arrays((batch, C, *size), dtype)),
        draw(normal_arrays((batch, C, *output), dtype)),
        {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode},
    )


def batch_last(x):
    """The memory of minise: C, H, W, N."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


def every_second(x):
    """A gap after each number."""
    spread = np.zeros((*x.shape, 2), x.dtype)
    spread[..., 0] = x
    return spread[..., 0]


def reversed_memory(x):
    """Backwards along every axis: negative strides."""
    backwards = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[backwards])[backwards]


def transposed(x):
    """The last two axes exchanged in memory."""
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if x.ndim > 1 else x


def broadcast(x):
    """Stride 0 and read-only: one number all along the last axis, and so other numbers than x."""
    return np.broadcast_to(x[..., :1], x.shape)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "batch-last": batch_last,
    "every second": every_second,
    "reversed": reversed_memory,
    "transposed": transposed,
    "broadcast": broadcast,
    "read-only": read_only,
}
