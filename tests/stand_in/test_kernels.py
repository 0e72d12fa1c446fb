"""Kernels on the stand-in: they compute what they say, and their faults are found."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stand_in.installed import STAND_IN, needs_compiler, stand_in_as_cupy

pytestmark = needs_compiler

KERNELS = Path(__file__).parent / "kernels.cu"
CODE = KERNELS.read_text()


@pytest.fixture(scope="module")
def cp():
    with stand_in_as_cupy() as cupy:
        yield cupy


@pytest.fixture(autouse=True)
def counters(cp):
    cp.stand_in.reset()
    return cp.stand_in


@pytest.fixture(scope="module")
def kernels(cp):
    return {
        dtype: cp.RawModule(code=CODE, options=(f"-DFLOAT={name}", "--std=c++17"))
        for dtype, name in ((np.float32, "float"), (np.float64, "double"))
    }


@pytest.fixture
def launch(cp, kernels):
    def launch(name, grid, block, *args, dtype=np.float32, shared=0):
        kernels[dtype].get_function(name)((grid,), (block,), args, shared_mem=shared)

    return launch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_compute_what_they_say(cp, launch, counters, dtype):
    numbers = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    x, y, total = cp.asarray(numbers), cp.empty(1000, dtype), cp.empty(1, dtype)
    counters.reset()
    launch("scale", 8, 128, x, y, np.int32(1000), dtype(3), np.bool_(True), dtype=dtype)
    launch("sum", 1, 64, x, total, np.int32(1000), dtype=dtype)
    assert (counters.launches, counters.synchronisations) == (2, 0)
    assert (y.get() == dtype(-3) * numbers).all()
    np.testing.assert_allclose(total.get(), [numbers.sum(dtype=np.float64)], rtol=1e-4)


def test_threads_and_blocks_have_three_axes(cp, kernels):
    y = cp.empty((2, 3, 2, 2, 3, 4), np.int32)
    kernels[np.float32].get_function("place")((2, 3, 2), (4, 3, 2), (y,))
    expected = np.arange(2)[:, None, None] * 100 + np.arange(3)[:, None, None, None, None]
    assert (y.get() == np.broadcast_to(expected, y.shape)).all()


def test_warps_hand_numbers_to_each_other(cp, launch):
    x, y = cp.arange(64, dtype=np.float32), cp.empty(64, np.float32)
    launch("warps", 1, 64, x, y)
    sums = np.repeat([496, 1520], 32)
    following = np.r_[np.arange(33, 64), 63]
    assert (y.get() == sums + np.r_[np.zeros(32), 1000 * following]).all()


@pytest.mark.parametrize(
    ("name", "grid", "block"), [("no_barrier", 1, 64), ("blocks_meet", 3, 1), ("atomics", 1, 64)]
)
def test_a_result_that_depends_on_the_order_of_threads_is_found(cp, launch, name, grid, block):
    random = np.random.default_rng(0).standard_normal(64).astype(np.float32)
    x, y = cp.asarray(random), cp.ones(64, np.float32)
    args = (y,) if name == "blocks_meet" else (x, y)
    with pytest.raises(cp.stand_in.StandInError, match=f"{name} depends on the order"):
        launch(name, grid, block, *args)


def test_shared_memory_is_nan_for_each_block_anew(cp, launch):
    y = cp.zeros((2, 64), np.float32)
    launch("shared_not_written", 2, 64, y)
    assert (y[0].get() == 1).all()
    assert np.isnan(y[1].get()).all()


def test_writing_outside_of_an_argument_is_found(cp, launch):
    error = cp.stand_in.StandInError
    whole = cp.zeros(12, np.float32)
    for array, place in [(whole, 12), (whole, -1), (whole, 40), (whole[4:8], 4), (whole[4:8], -1)]:
        launch("write_at", 1, 1, array, np.int32(0))
        with pytest.raises(error, match=r"write_at wrote outside of argument 0 \(y\)"):
            launch("write_at", 1, 1, array, np.int32(place))
    with pytest.raises(error, match=r"wrote to or around argument 0 \(x\), which is const"):
        launch("cast_const_away", 1, 1, whole)


def test_reading_outside_of_an_argument_is_found_where_it_matters(cp, launch):
    x, y = cp.ones(4, np.float32), cp.zeros(1, np.float32)
    launch("read_at", 1, 1, x, y, np.int32(3))
    assert y.get() == 1
    with pytest.raises(cp.stand_in.StandInError, match="computes with what lies outside"):
        launch("read_at", 1, 1, x, y, np.int32(4))  # its maximum hides that NaN came in


def test_barriers_that_not_all_threads_reach_are_found(cp, launch):
    y = cp.zeros(64, np.float32)
    with pytest.raises(cp.stand_in.StandInError, match="63 of 64 threads wait in line"):
        launch("uneven", 1, 64, y, np.int32(0))
    with pytest.raises(cp.stand_in.StandInError, match=r"wait in lines \d+ and \d+"):
        launch("uneven", 1, 64, y, np.int32(1))
    launch("uneven", 1, 64, y, np.int32(2))
    assert (y.get() == 1).all()


def test_structs_dynamic_shared_memory_and_its_end(cp, launch):
    size = np.array((1, 2), [("n", "i4"), ("factor", "f4")])
    y = cp.arange(5, dtype=np.float32)
    launch("rotate", 1, 5, y, size, shared=20)
    assert y.get().tolist() == [2, 4, 6, 8, 0]
    with pytest.raises(cp.stand_in.StandInError, match="16 bytes is written behind its end"):
        launch("rotate", 1, 5, y, size[()], shared=16)


def test_tables_of_pointers_are_followed_and_guarded(cp, launch):
    a, b, none = cp.zeros(3, np.float32), cp.zeros(5, np.float32), np.uintp(0)
    table = cp.asarray(np.array([a.data.ptr, b.data.ptr], np.uint64))
    right, wrong = (cp.asarray(np.array([n, 5], np.int32)) for n in (3, 4))
    launch("fill_all", 2, 4, table, right, none)
    assert (a.get().tolist(), b.get().tolist()) == ([0, 1, 2], [0, 1, 2, 3, 4])
    with pytest.raises(cp.stand_in.StandInError, match=r"outside of argument 0 .*pointer 0"):
        launch("fill_all", 2, 4, table, wrong, none)
    items = np.array([(a.data.ptr, 3)], np.dtype([("p", "u8"), ("n", "i4")], align=True))
    launch("fill_items", 1, 8, cp.asarray(items.view(np.uint64)))
    assert a.get().tolist() == [5, 5, 5]
    del a
    with pytest.raises(cp.stand_in.StandInError, match="pointer 0 leads to no live array"):
        launch("fill_all", 2, 4, table, right, none)


def arguments(cp, **other):
    """What `scale` takes, with some of it replaced."""
    x, y = cp.zeros(8, np.float32), cp.zeros(8, np.float32)
    right = {"x": x, "y": y, "n": np.int32(8), "factor": np.float32(1), "negative": np.bool_(False)}
    return tuple((right | other).values())


WRONG = {
    "a Python int": ({"n": 8}, r"argument 2 \(n\) is int32: pass numpy.int32"),
    "a Python float": ({"factor": 1.0}, "is float32: pass numpy.float32"),
    "a Python bool": ({"negative": True}, "is bool: pass numpy.bool"),
    "another integer": ({"n": np.int64(8)}, "is int32, got int64"),
    "another float": ({"factor": np.float64(1)}, "is float32, got float64"),
    "a NumPy array": ({"x": np.zeros(8, np.float32)}, r"argument 0 \(x\) is a pointer"),
    "a number for a pointer": ({"x": np.float32(0)}, "is a pointer"),
    "no array for a pointer": ({"y": None}, "is a pointer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_arguments_of_other_types_are_refused(cp, launch, case):
    launch("scale", 1, 8, *arguments(cp))
    other, message = WRONG[case]
    with pytest.raises(TypeError, match=message):
        launch("scale", 1, 8, *arguments(cp, **other))


def test_arrays_that_the_kernel_would_misread_are_refused(cp, launch):
    error = cp.stand_in.StandInError
    with pytest.raises(TypeError, match="points to float32, got an array of float64"):
        launch("scale", 1, 8, *arguments(cp, x=cp.zeros(8)))
    with pytest.raises(TypeError, match="takes 5 arguments, got 4"):
        launch("scale", 1, 8, *arguments(cp)[:4])
    with pytest.raises(error, match="pass an array in C order"):
        launch("scale", 1, 8, *arguments(cp, x=cp.zeros((4, 4), np.float32).T))
    same = cp.zeros(8, np.float32)
    with pytest.raises(error, match=r"\(x\) and 1 \(y\) overlap, and both are __restrict__"):
        launch("scale", 1, 8, *arguments(cp, x=same, y=same))


@pytest.mark.parametrize(
    ("grid", "block", "shared"),
    [
        ((0,), (8,), 0),
        ((1,), (0,), 0),
        ((1,), (1025,), 0),
        ((1,), (1, 1, 65), 0),
        ((1, 65536), (8,), 0),
        ((2**31,), (8,), 0),
        ((1,), (32, 33), 0),
        ((1,), (8,), 49153),
    ],
)
def test_launches_that_no_gpu_takes_are_refused(cp, kernels, grid, block, shared):
    scale = kernels[np.float32].get_function("scale")
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        scale(grid, block, arguments(cp), shared_mem=shared)
    with pytest.raises(TypeError, match="grid must be a tuple"):
        scale(1, (8,), arguments(cp))
    x = cp.zeros(8, np.float32)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="96 threads, 64 are allowed"):
        kernels[np.float32].get_function("sum")((1,), (96,), (x, x[:1], np.int32(8)))


LOOK_AWAY = """
import sys
import cupy as cp
x, y = cp.ones(8, cp.float32), cp.empty(8, cp.float32)
with open(sys.argv[1]) as file:
    module = cp.RawModule(code=file.read(), options=("-DFLOAT=float", "--std=c++17"))
n, away = cp.int32(8), cp.int32(int(sys.argv[2]))
module.get_function("look_away")((1,), (8,), (x, y, n, away))
print(y.get().sum())
"""


@pytest.mark.parametrize("away", [600, 5000, -5000])
def test_a_kernel_that_reads_far_outside_an_array_crashes_even_if_it_makes_nothing_of_it(away):
    def run(away):
        return subprocess.run(
            [sys.executable, "-c", LOOK_AWAY, KERNELS, str(away)],
            env={**os.environ, "PYTHONPATH": str(STAND_IN)},
            capture_output=True,
            text=True,
        )

    assert run(7).stdout == "8.0\n"
    assert run(away).returncode == -signal.SIGSEGV


def test_a_captured_kernel_runs_when_its_graph_does(cp, kernels, counters):
    stream, args = cp.cuda.Stream(non_blocking=True), arguments(cp, factor=np.float32(2))
    x, y = args[:2]
    with stream:
        stream.begin_capture()
        kernels[np.float32].get_function("scale")((1,), (8,), args)
        graph = stream.end_capture()
    x.fill(4)
    assert y.get().tolist() == [0] * 8
    graph.launch()
    assert y.get().tolist() == [8] * 8
    assert counters.launches == 2
