"""Every kernel computes what the specification in `minise/ops` says, whatever the memory order."""

import backends
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.agreement import assert_agrees, assert_same, run
from rows import ROWS, activation
from rows.row import Call
from strategies import LAYOUTS, conv_cases

from minise.kernels.numba.lanes import LANES

SIZES = {
    f"{row.operation} {which}".strip(): (row, size)
    for row in ROWS.values()
    for which, size in row.sizes.items()
}


# too few images to fill a register, and enough with some left over
@pytest.mark.parametrize(("dtype", "batch"), [("float64", 3), ("float32", LANES + 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SIZES)
def test_numba_agrees_with_the_specification(name, layout, dtype, batch):
    row, size = SIZES[name]
    rng = np.random.default_rng(1)
    call = size.filled(rng, dtype, batch, LAYOUTS[layout])
    with backends.using("numpy"):
        shape = call.of(row.forward)[0].shape
    (dy,) = Call(shape).filled(rng, dtype, layout=LAYOUTS[layout]).arrays
    specified = run("numpy", row, call, dy)
    given = [*call.arrays, *call.options.get("statistics", ()), dy]
    before = [array.copy() for array in given]
    assert_same(run("numba", row, call, dy), specified, dtype)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)  # inputs are never written to


@pytest.mark.parametrize("name", SIZES)
def test_batches_of_every_size_agree_and_stay_in_their_memory(name):
    row, size = SIZES[name]
    rng = np.random.default_rng(2)
    step = 5 if row.file in ("activation", "linear") else 1  # they have no loop over a batch
    for N in range(row.needs_images, 2 * LANES + 2, step):
        assert_agrees(row, size.filled(rng, "float64", N))
    for N in (1, LANES - 1, LANES):
        assert_agrees(row, size.filled(rng, "float32", N))


def test_every_kernel_is_compared_here():
    with backends.using("numba") as numba:
        found = [
            row
            for row in ROWS.values()
            for end in ("", "_backward")
            if numba.find(f"{row.file}.{row.operation}{end}", np.zeros(1)) is not None
        ]
    assert len(found) > 20
    assert all(row.sizes for row in found)


@given(data=st.data())
def test_convolutions_of_any_geometry_agree(data):
    batches = st.integers(0, 2 * LANES + 1)
    sizes = {"most_filters": 19, "most_places": 6, "most_stride": 4, "most_padding": 5}
    x, w, b, dy, options = data.draw(conv_cases(N=batches, **sizes))
    call = Call(x, w, b, **options)
    fast, specified = (run(which, ROWS["conv2d"], call, dy) for which in ("numba", "numpy"))
    assert_same(fast, specified, "float64")


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1000, -1000])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", activation.ROWS, ids=lambda row: row.operation)
def test_activations_agree_on_infinity_and_nan(row, dtype):
    x = np.resize(SPECIAL, 5000).astype(dtype)  # enough for several threads
    call = Call(x, **row.sizes["rows"].options)
    with np.errstate(invalid="ignore"):  # silu and hard swish of −∞ are −∞ · 0
        fast, specified = (run(which, row, call, np.ones_like(x)) for which in ("numba", "numpy"))
    assert_same(fast, specified, dtype)


@pytest.mark.parametrize(
    ("name", "options"), [("max_pool2d", {"kernel_size": 2}), ("global_max_pool", {})]
)
def test_poolings_agree_on_ties_infinity_and_nan(name, options):
    x = np.random.default_rng(0).choice([*SPECIAL, 1.0, 2.0], size=(50, 2, 4, 4))
    found = []
    for which in ("numpy", "numba"):
        with backends.using(which):
            y, saved = ROWS[name].forward(x, **options)
        found.append((y, saved.winner))
    for specified, fast in zip(*found, strict=True):
        np.testing.assert_array_equal(fast, specified)
