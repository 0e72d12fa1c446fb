"""The large operations against what this GPU can do at all: a copy, a matrix product.

Bytes are the necessary ones: every array that has to go in is read once, every one that comes out
is written once. Times are those of many calls that are asked for in a row.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from gpu.measure.findings import Findings, judged, seconds

from minise import backend, ops
from minise.arrays import Array
from minise.bench import Ceilings, ceiling
from minise.bench.timing import alternate

SHAPE, QUICK = (128, 256, 56, 56), (4, 8, 8, 8)
SECONDS = 0.4  # for each
GOAL = 0.8  # of a copy
LAST = 2  # images that are looked at: an address that is too large for 32 bits is theirs
TOLERANCE = 1e-5  # relative: the sums over a map may be made in another order


class Operation(NamedTuple):
    """Forward and backward of one operation, its arrays by their names in `_arrays`."""

    name: str
    pair: tuple[Callable[..., Any], Callable[..., Any]]
    inputs: tuple[str, ...]
    dy: str
    needed: tuple[str, ...]  # what backward has to read beside dy; "y" is what came out
    options: dict[str, Any] = {}  # noqa: RUF012  (it never changes)
    goal: float | None = GOAL
    operations: float = 0.0  # of forward; backward has twice as many
    by_image: bool = True  # whether the results for an image depend on that image alone

    def forward(self, *inputs: Array) -> tuple[Array, Any]:
        return self.pair[0](*inputs, **self.options)

    def backward(self, dy: Array, saved: Any) -> tuple[Array, ...]:
        gradients = self.pair[1](dy, saved)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        return tuple(gradient for gradient in gradients if gradient is not None)


def measure(found: Findings, quick: bool) -> None:
    shape = QUICK if quick else SHAPE
    if quick:
        ceiling.SIZES_ON_GPU, ceiling.COPIED_ON_GPU = (64,), 2**16
    backend.use("cupy")
    with backend.current().running():
        ceilings = ceiling.measure_ceilings(threads=1)
        found.figure("a large copy", f"{ceilings.copy:,.0f} GB/s")
        found.figure("a large matrix product", f"{ceilings.matrix_product:,.0f} GFLOP/s")
        given = _arrays(shape)
        for operation in _operations(shape):
            if operation.by_image:
                _check(found, operation, given)
            _time(found, operation, given, ceilings, 0.01 if quick else SECONDS)
            backend.current().release_memory()
    found.note(f"the shape of images above: {shape}, float32")


def _operations(shape: tuple[int, int, int, int]) -> list[Operation]:
    N, C, H, W = shape
    return [
        Operation("squeeze", _pair("global_avg_pool"), ("x",), "dz", ()),
        Operation("scale", _pair("channel_scale"), ("x", "s"), "dy", ("x", "s")),
        Operation("tail", _pair("scale_add_relu"), ("x", "s", "r"), "dy", ("x", "s", "y")),
        Operation("batch norm + relu", _pair("batch_norm_relu"), ("x", "w", "b"), "dy",
                  ("x", "w", "b"), goal=None, by_image=False),
        Operation("convolution 3×3", _pair("conv2d"), ("x", "filters"), "dy", ("x", "filters"),
                  {"padding": 1}, goal=None, operations=2.0 * N * H * W * C * C * 9),
    ]  # fmt: skip


def _pair(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return getattr(ops, name), getattr(ops, f"{name}_backward")


def _arrays(shape: tuple[int, int, int, int]) -> dict[str, Array]:
    """Everything that goes in anywhere; `r` is dy, which none reads in the same kernel."""
    N, C, H, W = shape
    rng = np.random.default_rng(0)

    def numbers(*sizes: int) -> Array:
        return backend.asarray(rng.standard_normal(sizes, np.float32))

    def images() -> Array:
        return numbers(1, C, H, W) * numbers(N, 1, 1, 1)  # faster than to draw all of them

    x, dy = images(), images()
    vectors = {"s": numbers(N, C), "dz": numbers(N, C), "w": numbers(C), "b": numbers(C)}
    return {"x": x, "dy": dy, "r": dy, **vectors, "filters": numbers(C, C, 3, 3)}


def _check(found: Findings, operation: Operation, given: dict[str, Array]) -> None:
    """The last images come out as they do on their own."""
    N = len(given["x"])
    alone = {k: a[-LAST:].copy() if len(a) == N else a for k, a in given.items()}
    ends = []
    for arrays in (given, alone):
        y, saved = operation.forward(*(arrays[name] for name in operation.inputs))
        results = (y, *operation.backward(arrays[operation.dy], saved))
        of_images = [result for result in results if len(result) == len(arrays["x"])]
        ends.append([backend.asnumpy(result[-LAST:]) for result in of_images])
    for among_all, on_its_own in zip(*ends, strict=True):
        off = np.linalg.norm(among_all - on_its_own) / np.linalg.norm(on_its_own)
        if not off <= TOLERANCE:
            found.is_wrong(f"{operation.name}: the last images are off by {off:.2g} of themselves")


def _time(
    found: Findings,
    operation: Operation,
    given: dict[str, Array],
    ceilings: Ceilings,
    at_least: float,
) -> None:
    inputs, dy = [given[name] for name in operation.inputs], given[operation.dy]
    y, saved = operation.forward(*inputs)
    gradients = operation.backward(dy, saved)
    read = [y if name == "y" else given[name] for name in operation.needed]
    moved = {"": _bytes([*inputs, y]), ", backward": _bytes([dy, *read, *gradients])}
    del gradients, read
    calls = {
        "": lambda: operation.forward(*inputs),
        ", backward": lambda: operation.backward(dy, saved),
    }
    for passes, (which, call) in enumerate(calls.items(), start=1):
        times = alternate({which: call}, seconds=at_least, wait=backend.current().synchronize)
        took = times[which].median
        if operation.operations:
            rate = passes * operation.operations / took / 1e9
            share = f"{rate:,.0f} GFLOP/s, {rate / ceilings.matrix_product:.0%} of the product"
            which = which and ", backward (dx and dw)"
        else:
            rate = moved[which] / took / 1e9
            share = f"{rate:,.0f} GB/s, {rate / ceilings.copy:.0%} of the copy"
        goal = ""
        if operation.goal is not None:
            goal = judged(f"≥ {operation.goal:.0%}", rate / ceilings.copy >= operation.goal)
        found.figure(f"{operation.name}{which}", f"{seconds(took)}, {share}", goal)


def _bytes(arrays: Iterable[Array]) -> int:
    return sum(array.nbytes for array in arrays)
