"""Streams and graphs of the stand-in: what is captured runs later, or is refused as by CUDA."""

import numpy as np
import pytest
from stand_in.installed import stand_in_as_cupy


@pytest.fixture(scope="module")
def cp():
    with stand_in_as_cupy() as cupy:
        yield cupy


@pytest.fixture
def x(cp):
    return cp.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))


def test_copies_from_and_to_pinned_memory_end_when_somebody_waits(cp):
    import cupyx

    stream, x = cp.cuda.Stream(non_blocking=True), cp.zeros(3, np.float32)
    source, target = cupyx.zeros_pinned(3, np.float32), cupyx.empty_pinned(3, np.float32)
    source[:] = 7
    x.set(source, stream=stream)
    x.get(stream=stream, out=target, blocking=False)
    assert np.isnan(target).all()
    stream.record().synchronize()
    assert target.tolist() == source.tolist() == [7, 7, 7]
    x.set(source, stream=stream)
    source[0] = 1
    with pytest.raises(cp.stand_in.StandInError, match="changed while a copy"):
        stream.synchronize()


def test_a_captured_step_does_nothing_until_it_is_launched(cp):
    stream = cp.cuda.Stream(non_blocking=True)
    w, g, rate = cp.ones(3, np.float32), cp.full(3, 2, np.float32), cp.asarray(np.float32(0.5))
    baked = 0.5
    with stream:
        stream.begin_capture()
        w -= rate * g
        doubled = w * 2
        by_number = g * baked
        doubled[0] = by_number[0]
        assert stream.is_capturing()
        graph = stream.end_capture()
    assert w.get().tolist() == [1, 1, 1]
    assert np.isnan(doubled.get()).all()
    address = doubled.data.ptr
    for times in (1, 2):
        graph.launch(stream)
        assert w.get().tolist() == [1 - times] * 3
        assert doubled.get().tolist() == [1, 2 - 2 * times, 2 - 2 * times]
    baked, w[...] = 100, 0
    rate.fill(10)
    graph.launch()
    assert w.get().tolist() == [-20] * 3  # what lies on the GPU is read anew
    assert by_number.get().tolist() == [1] * 3  # what was a number is the number that it was
    assert doubled.data.ptr == address


FORBIDDEN = {
    "float": lambda cp, x: float(x[0, 0]),
    "get": lambda cp, x: x.get(),
    "unique": lambda cp, x: cp.unique(x),
    "mask": lambda cp, x: x[x > 3],
    "stream": lambda cp, x: cp.cuda.get_current_stream().synchronize(),
    "copy": lambda cp, x: cp.asarray(np.ones(3)),
    "set": lambda cp, x: x.set(np.ones((3, 4), np.float32)),
}


@pytest.mark.parametrize("way", FORBIDDEN)
def test_waiting_during_a_capture_breaks_it(cp, x, way):
    error = cp.cuda.runtime.CUDARuntimeError
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(error, match="not permitted when stream is capturing"):
            FORBIDDEN[way](cp, x)
        with pytest.raises(error, match="previous error during capture"):
            x + 1
        with pytest.raises(error, match="previous error during capture"):
            stream.end_capture()
        assert (x + 1).shape == x.shape


def test_products_of_matrices_and_the_null_stream_cannot_be_captured(cp, x):
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(NotImplementedError, match="cuBLAS API during stream capture"):
            x @ x.T
        stream.end_capture()
    with pytest.raises(RuntimeError, match="default"):
        cp.cuda.Stream.null.begin_capture()


def test_a_graph_writes_to_the_memory_of_arrays_that_died(cp):
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        result = cp.ones(5, np.float32)
        graph = stream.end_capture()
        del result
        heir = cp.zeros(5, np.float32)
        graph.launch()
        assert heir.get().tolist() == [1] * 5  # as on a GPU, which does not say so either
