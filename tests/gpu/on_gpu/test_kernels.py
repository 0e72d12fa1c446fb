"""Sizes at which kernels share their work out among many blocks, held against the specification."""

import numpy as np
import pytest
from closeness import assert_close
from rows import ROWS

from minise import backend, ops


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def on(name, operation, arrays, options):
    """The output and the gradients, as NumPy arrays."""
    with backend.using(name):
        options = {key: move(value) for key, value in options.items()}
        y, saved = getattr(ops, operation)(*map(move, arrays), **options)
        dy = numbers(*y.shape, dtype=arrays[0].dtype)
        gradients = getattr(ops, f"{operation}_backward")(move(dy), saved)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [backend.asnumpy(a) for a in (y, *gradients) if a is not None]


def move(value):
    if isinstance(value, tuple):
        return tuple(map(move, value))
    return backend.asarray(value) if isinstance(value, np.ndarray) else value


LARGE = {
    f"{row.operation} {which}".strip(): (row, large)
    for row in ROWS.values()
    for which, large in row.large.items()
}


@pytest.mark.parametrize("name", LARGE)
def test_large_arrays_give_what_the_specification_gives(name):
    row, large = LARGE[name]
    call = large.filled(np.random.default_rng(1), np.float32)
    for got, expected in zip(
        *(on(which, row.operation, call.arrays, call.options) for which in ("cupy", "numpy")),
        strict=True,
    ):
        assert got.dtype == np.float32
        assert_close(got, expected)


def test_an_array_that_kernels_cannot_count_is_refused(monkeypatch):
    from minise.kernels.cupy import launch

    assert launch.LARGEST + 4 * 256 <= 2**31  # no thread of the last block counts beyond an int
    monkeypatch.setattr(launch, "LARGEST", 23)
    with pytest.raises(
        ValueError, match=r"scale: an array of shape \(1, 2, 3, 4\) has more than 23"
    ):
        on("cupy", "channel_scale", [numbers(1, 2, 3, 4), numbers(1, 2)], {})


TILES = [(rows, columns) for rows in (8, 16, 32, 64) for columns in (64, 128)]


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: f"{tile[0]}x{tile[1]}")
def test_a_product_is_the_same_in_tiles_of_any_size(tile, monkeypatch):
    from minise.kernels.cupy import conv

    monkeypatch.setattr(conv, "_tile_for", lambda *_: conv.Tile(*tile))
    arrays = [numbers(3, 5, 14, 13), numbers(70, 5, 3, 3)]
    options = {"padding": 1, "stride": (1, 2)}
    for got, expected in zip(
        on("cupy", "conv2d", arrays, options), on("numpy", "conv2d", arrays, options), strict=True
    ):
        assert_close(got, expected)


def test_tiles_are_large_where_there_are_enough_of_them_and_no_row_is_made_in_vain():
    from minise.kernels.cupy.conv import _tile_for

    assert _tile_for(256, 100_000, 1) == (64, 128)
    assert _tile_for(256, 100_000, 32) == (64, 128)
    assert _tile_for(256, 10_000, 1) == (64, 64)
    assert _tile_for(256, 1_000, 1) == (32, 64)
    assert _tile_for(20, 100_000, 1) == (32, 128)
    assert _tile_for(3, 100_000, 1) == (8, 128)
    assert _tile_for(3, 100, 1) == (8, 64)


DIVIDE = """
extern "C" __global__ void divide(
    const int* n, const int* divisor, int* quotient, int* rest, int count) {
    int i = element();
    if (i >= count) return;
    Divided divided = Divisor(divisor[i])(n[i]);
    quotient[i] = divided.quotient;
    rest[i] = divided.rest;
}
"""


def test_a_division_by_multiplication_is_exact_around_multiples_of_the_divisor():
    import cupy

    from minise.kernels.cupy import launch

    largest = 2**31 - 1
    cases = [
        (quotient, rest, divisor)
        for divisor in [1, 2, 3, 7, 28, 49, 784, 3136, 46341, 65536, 2**30, largest - 1, largest]
        for fraction in range(101)
        for quotient in [largest // divisor * fraction // 100]
        for rest in {0, divisor // 2, divisor - 1}
        if quotient * divisor + rest <= largest
    ]
    quotient, rest, divisor = np.array(cases).T
    n = quotient * divisor + rest
    with backend.using("cupy"):
        found = cupy.zeros((2, len(n)), np.int32)
        module = cupy.RawModule(
            code=launch.text("common.cuh") + DIVIDE,
            options=("--std=c++17", "-DFLOAT=float", "-DWIDTH=1"),
        )
        given = [cupy.asarray(array.astype(np.int32)) for array in (n, divisor)]
        module.get_function("divide")(
            (-(-len(n) // 256),), (256,), (*given, found[0], found[1], np.int32(len(n)))
        )
        np.testing.assert_array_equal(backend.asnumpy(found), [quotient, rest])


def test_products_without_cublas_are_the_same_products():
    from minise.kernels.cupy.cublas import without_cublas

    for operation, shapes in (
        ("linear", [(70, 300), (65, 300), (65,)]),
        ("conv2d", [(7, 33, 14, 14), (65, 33, 1, 1)]),
    ):
        arrays = [numbers(*shape) for shape in shapes]
        with without_cublas():
            found = on("cupy", operation, arrays, {})
        for got, expected in zip(found, on("numpy", operation, arrays, {}), strict=True):
            assert_close(got, expected)


def test_the_loss_of_many_classes():
    scores, labels = numbers(40, 300) * 9, np.arange(40) * 7

    def loss_on(name):
        with backend.using(name):
            moved = move((scores, labels))
            loss, saved = ops.softmax_cross_entropy(*moved, label_smoothing=0.1)
            dscores = ops.softmax_cross_entropy_backward(2.0, saved)
        return backend.asnumpy(loss), backend.asnumpy(dscores)

    for got, expected in zip(loss_on("cupy"), loss_on("numpy"), strict=True):
        assert_close(got, expected)


def test_a_channel_far_from_zero_keeps_its_variance_over_many_blocks():
    x = 1000 + numbers(50, 2, 20, 20)
    y = on("cupy", "batch_norm", [x, np.ones(2, np.float32), np.zeros(2, np.float32)], {})[0]
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, rtol=1e-3)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-3)
