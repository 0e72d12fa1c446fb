"""The checks at the door of every operation.

Numba's code checks no bounds, so nothing reaches a kernel that has not passed here. A message
names the operation, what it got and what it expected.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from minise.arrays import Array, array_module
from minise.shapes import Pair, Window, output_sizes

FLOATS = np.dtype(np.float32), np.dtype(np.float64)

_complex_allowed: ContextVar[bool] = ContextVar("minise_complex_allowed", default=False)


@contextmanager
def complex_allowed() -> Iterator[None]:
    """Let operations take complex128 beside float64, for complex steps: see `gradcheck`."""
    token = _complex_allowed.set(True)
    try:
        yield
    finally:
        _complex_allowed.reset(token)


def check_arrays(operation: str, **arrays: Array | None) -> None:
    """All arrays of one kind and one dtype, float32 or float64. None is skipped."""
    for dtype in FLOATS:  # nearly every call is right: seen quickly, for a single image
        for array in arrays.values():
            if array is not None and (type(array) is not np.ndarray or array.dtype is not dtype):
                break
        else:
            return
    _refuse_arrays(operation, {name: a for name, a in arrays.items() if a is not None})


def _refuse_arrays(operation: str, given: dict[str, Array]) -> None:
    """Say what is wrong with the arrays, if anything is: they may be CuPy's."""
    check_kind(operation, *given.values())
    dtypes = {array.dtype for array in given.values()}
    if _complex_allowed.get() and dtypes <= {np.dtype(np.float64), np.dtype(np.complex128)}:
        return
    if len(dtypes) > 1:
        listed = ", ".join(f"{name} {array.dtype}" for name, array in given.items())
        raise TypeError(f"{operation}: mixed dtypes: {listed}; expected one for all of them")
    if not dtypes.issubset(FLOATS):
        name, array = next(iter(given.items()))
        raise TypeError(f"{operation}: {name} is {array.dtype}, expected float32 or float64")


def check_kind(operation: str, *arrays: Array) -> None:
    """All arrays NumPy's or all CuPy's."""
    try:
        array_module(*arrays)
    except TypeError as error:
        raise TypeError(f"{operation}: {error}") from None


def check_ndim(operation: str, name: str, array: Array, letters: str) -> None:
    """`letters` names the axes expected, as in "N, C, H, W"."""
    if array.ndim != letters.count(",") + 1:
        raise ValueError(f"{operation}: {name} has shape {array.shape}, expected ({letters})")


def check_image(operation: str, x: Array) -> None:
    """A float array (N, C, H, W) with at least one pixel; N and C may be 0."""
    check_arrays(operation, x=x)
    check_pixels(operation, x)


def check_pixels(operation: str, x: Array) -> None:
    """The same of an array that is known to have floats."""
    check_ndim(operation, "x", x, "N, C, H, W")
    if 0 in x.shape[2:]:
        raise ValueError(f"{operation}: x has no pixels: {x.shape}")


def check_gates(operation: str, x: Array, s: Array, r: Array | None = None) -> None:
    """s (N, C) has one gate for each channel of x (N, C, H, W), and r is shaped as x."""
    check_arrays(operation, x=x, s=s, r=r)
    check_ndim(operation, "x", x, "N, C, H, W")
    if s.shape != x.shape[:2]:
        raise ValueError(
            f"{operation}: s has shape {s.shape}, expected {x.shape[:2]} for x {x.shape}"
        )
    if r is not None and r.shape != x.shape:
        raise ValueError(f"{operation}: r has shape {r.shape}, x has {x.shape}")


def check_pixel_gates(operation: str, x: Array, s: Array) -> None:
    """s has a gate for each number of x (N, C, H, W), or one for each pixel, (N, 1, H, W)."""
    check_arrays(operation, x=x, s=s)
    check_ndim(operation, "x", x, "N, C, H, W")
    one_for_all = (x.shape[0], 1, *x.shape[2:])
    if s.shape not in (x.shape, one_for_all):
        raise ValueError(
            f"{operation}: s has shape {s.shape}, expected {x.shape} or {one_for_all} "
            f"for x {x.shape}"
        )


def check_terms(operation: str, x: Array, r: Array) -> None:
    """x and r are images of one shape."""
    check_arrays(operation, x=x, r=r)
    check_ndim(operation, "x", x, "N, C, H, W")
    if r.shape != x.shape:
        raise ValueError(f"{operation}: r has shape {r.shape}, x has {x.shape}")


def check_concat(operation: str, arrays: tuple[Array, ...]) -> None:
    """At least one array, and all alike but for their channels."""
    if not arrays:
        raise ValueError(f"{operation}: nothing to join")
    check_arrays(operation, **{f"arrays[{k}]": x for k, x in enumerate(arrays)})
    if len({(x.ndim, x.shape[:1], x.shape[2:]) for x in arrays}) > 1 or arrays[0].ndim < 2:
        listed = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(f"{operation}: shapes may differ in axis 1 alone, got {listed}")


def check_linear(operation: str, x: Array, w: Array, b: Array | None) -> None:
    """Rows x (N, in), weights w (out, in), and b (out,) or None."""
    check_arrays(operation, x=x, w=w, b=b)
    check_ndim(operation, "x", x, "N, in")
    check_ndim(operation, "w", w, "out, in")
    if x.shape[1] != w.shape[1]:
        raise ValueError(
            f"{operation}: x has {x.shape[1]} features, w expects {w.shape[1]}: "
            f"x {x.shape}, w {w.shape}"
        )
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(
            f"{operation}: b has shape {b.shape}, expected {w.shape[:1]} for w {w.shape}"
        )


def check_squeezed(
    operation: str, dz: Array, x: Array, add_to: Array | None, scaled_by: Array | None
) -> None:
    """dz (N, C) is a gradient of the squeezed x (N, C, H, W), and `add_to` one of x itself.

    Or it will be, once it is scaled by gates (N, C).
    """
    check_cotangent(operation, dz, x, x.shape[:2])
    if add_to is not None:
        check_cotangent(operation, add_to, x)
    if scaled_by is not None:
        if add_to is None:
            raise ValueError(f"{operation}: scaled_by without add_to: there is nothing to scale")
        check_gates(operation, x, scaled_by)


def check_mask(operation: str, x: Array, mask: Array) -> None:
    """mask (N, H, W) says which pixels of x (N, C, H, W) count."""
    check_kind(operation, x, mask)
    check_image(operation, x)
    if mask.dtype != bool:
        raise TypeError(f"{operation}: mask is {mask.dtype}, expected bool; mask != 0 makes one")
    expected = (x.shape[0], *x.shape[2:])
    if mask.shape != expected:
        raise ValueError(
            f"{operation}: mask has shape {mask.shape}, expected {expected} for x {x.shape}"
        )


def check_counts(operation: str, count: Array) -> None:
    """Each image has a pixel that counts."""
    if not count.all():
        none = np.flatnonzero(count == 0)
        raise ValueError(f"{operation}: the mask leaves image {none[0]} no pixel to take a mean of")


def check_cotangent(
    operation: str, dy: Array, like: Array, shape: tuple[int, ...] | None = None
) -> None:
    """`dy` must have the shape of the output, and the kind and dtype of `like`.

    Without a `shape` the output is shaped as `like` is.
    """
    check_arrays(operation, dy=dy, x=like)
    shape = like.shape if shape is None else shape
    if dy.shape != shape:
        raise ValueError(f"{operation}: dy has shape {dy.shape}, the output had {shape}")


def pair(operation: str, name: str, value: int | Pair, at_least: int) -> Pair:
    """An integer, or two of them for (vertical, horizontal), none below `at_least`."""
    try:
        down, across = value if isinstance(value, tuple) else (value, value)
        down, across = operator.index(down), operator.index(across)
    except (TypeError, ValueError):
        raise TypeError(f"{operation}: {name} is {value!r}, expected an integer or two") from None
    if down < at_least or across < at_least:
        raise ValueError(f"{operation}: {name} is {value!r}, expected at least {at_least}")
    return down, across


def check_window(operation: str, x: Array, window: Window, *, ceil_mode: bool = False) -> Pair:
    """(OH, OW); raises `ValueError` where the window is larger than the padded image."""
    output = output_sizes(x, window, ceil_mode=ceil_mode)
    if min(output) < 1:
        raise ValueError(f"{operation}: x is smaller than the window: x {x.shape}, {window}")
    return output


def check_pooling(operation: str, x: Array, window: Window, *, ceil_mode: bool) -> Pair:
    """An image that the window fits into; returns (OH, OW)."""
    check_image(operation, x)
    return check_window(operation, x, window, ceil_mode=ceil_mode)


def check_conv2d(
    operation: str,
    x: Array,
    w: Array,
    b: Array | None,
    stride: int | Pair,
    padding: int | Pair,
    dilation: int | Pair,
    groups: int,
) -> Window:
    """Check the arguments of a convolution; returns the window."""
    check_arrays(operation, x=x, w=w, b=b)
    stride = pair(operation, "stride", stride, 1)
    padding = pair(operation, "padding", padding, 0)
    dilation = pair(operation, "dilation", dilation, 1)
    check_pixels(operation, x)
    check_ndim(operation, "w", w, "F, C / groups, KH, KW")
    C, (F, of_group, KH, KW) = x.shape[1], w.shape
    window = Window((KH, KW), stride, padding, dilation)
    if groups < 1 or C % groups or F % groups:
        raise ValueError(
            f"{operation}: {groups} groups must divide the {C} channels of x "
            f"and the {F} filters of w"
        )
    if w.size == 0:
        raise ValueError(f"{operation}: w is empty: {w.shape}")
    if C != of_group * groups:
        raise ValueError(
            f"{operation}: x has {C} channels, w expects {of_group * groups}: "
            f"x {x.shape}, w {w.shape}"
        )
    if b is not None and b.shape != (F,):
        raise ValueError(f"{operation}: b has shape {b.shape}, expected ({F},) for w {w.shape}")
    check_window(operation, x, window)
    return window


def check_batch_norm(
    operation: str, x: Array, w: Array, b: Array, statistics: tuple[Array, Array] | None
) -> None:
    """What batch norm asks of its arguments; without statistics they are those of the batch."""
    mean, var = statistics or (None, None)
    check_arrays(operation, x=x, w=w, b=b, mean=mean, var=var)
    check_pixels(operation, x)
    N, C, H, W = x.shape
    for name, array in {"w": w, "b": b, "mean": mean, "var": var}.items():
        if array is not None and array.shape != (C,):
            raise ValueError(
                f"{operation}: {name} has shape {array.shape}, expected {(C,)} for x {x.shape}"
            )
    if mean is None and N * H * W < 2:
        raise ValueError(
            f"{operation}: x {x.shape} has {N * H * W} values in a channel; "
            "the statistics of a batch need at least 2"
        )


def pooling_window(
    operation: str, kernel_size: int | Pair, stride: int | Pair | None, padding: int | Pair
) -> Window:
    """A pooling's window. Padding is at most half the window, so that each window has a pixel."""
    size = pair(operation, "kernel_size", kernel_size, 1)
    window = Window(
        size,
        size if stride is None else pair(operation, "stride", stride, 1),
        pair(operation, "padding", padding, 0),
    )
    if window.padding[0] > size[0] // 2 or window.padding[1] > size[1] // 2:
        raise ValueError(
            f"{operation}: padding {window.padding} is more than half of kernel_size {size}"
        )
    return window


def check_loss(operation: str, scores: Array, labels: Array, label_smoothing: float) -> None:
    """Scores (N, K) of at least one row, an integer label for each, a smoothing in [0, 1]."""
    check_kind(operation, scores, labels)
    check_arrays(operation, scores=scores)
    check_ndim(operation, "scores", scores, "N, K")
    if 0 in scores.shape:
        raise ValueError(f"{operation}: no mean over an empty batch: {scores.shape}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{operation}: label_smoothing {label_smoothing} not in [0, 1]")
    N = len(scores)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{operation}: labels are {labels.dtype}, expected integers")
    if labels.shape != (N,):
        raise ValueError(f"{operation}: labels have shape {labels.shape}, expected ({N},)")


def check_classes(operation: str, labels: Array, K: int) -> None:
    """Each label is one of K classes."""
    wrong = array_module(labels).flatnonzero((labels < 0) | (labels >= K))
    if wrong.size:
        first = int(wrong[0])
        raise ValueError(
            f"{operation}: label {int(labels[first])} at index {first} is outside the "
            f"{K} classes (0 to {K - 1})"
        )
