"""Copies between the processor's memory and the GPU's."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy import stand_in
from cupy._array import ndarray, poison
from cupy._execute import operand
from cupy.cuda import pinned
from cupy.cuda import stream as streams


def get(source: ndarray, stream: Any, order: str, out: Any, blocking: bool) -> np.ndarray:
    """A NumPy copy, or `out` filled; where nothing waits for it, it is filled later."""
    host = operand(source)
    stream = stream or streams.get_current_stream()
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != host.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {host.dtype} array")
        if out.shape != host.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {host.shape}, actual: {out.shape}")
    arrives_later = not blocking and (out is None or pinned.is_pinned(out))
    if out is None:
        in_columns = order == "F" or (order == "A" and host.flags.fnc)
        out = np.empty(host.shape, host.dtype, "F" if in_columns else "C")
    if not arrives_later:
        streams.wait(stream)
        with streams.lock:
            np.copyto(out, host)
    elif recording := streams.recording_of(stream):
        if not pinned.is_pinned(out):
            streams.refuse(recording, 900)
        recording.steps.append(lambda: np.copyto(out, host))
    else:
        poison(out)  # until somebody waits, nothing of it has arrived
        with streams.lock:
            arrived = host.copy()
        streams.finish_later(stream, lambda: np.copyto(out, arrived))
    return out


def put(target: ndarray, source: Any, stream: Any) -> None:
    """Fill an array with a NumPy array of its shape and dtype."""
    if not isinstance(source, np.ndarray):
        raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
    if source.dtype != target.dtype:
        raise TypeError(f"{source.dtype} array cannot be set to {target.dtype} array")
    if source.shape != target.shape:
        raise ValueError(f"Shape mismatch. Old shape: {target.shape}, new shape: {source.shape}")
    host = operand(target)
    if not (host.flags.c_contiguous or host.flags.f_contiguous):
        raise RuntimeError("Cannot set to non-contiguous array")
    stand_in.copies_to_gpu += 1
    stream = stream or streams.get_current_stream()
    from_pinned = pinned.is_pinned(source)
    if recording := streams.recording_of(stream):
        if not from_pinned:
            streams.refuse(recording, 900)
        recording.steps.append(lambda: np.copyto(host, source))
        return
    with streams.lock:
        np.copyto(host, source)
    if from_pinned:
        pinned.watch_source(stream, source)


def from_host(target: ndarray, source: np.ndarray, blocking: bool = False) -> ndarray:
    """Fill a new array with NumPy numbers of any kind; `asarray` and its like do it."""
    stand_in.copies_to_gpu += 1
    stream = streams.get_current_stream()
    if recording := streams.recording_of(stream):
        streams.refuse(recording, 900)
    np.copyto(target._host, source)
    if blocking:
        streams.wait(stream)
    elif pinned.is_pinned(source):
        pinned.watch_source(stream, source)
    return target
