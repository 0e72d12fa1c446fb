"""The part of CUDA's runtime that CuPy hands on: devices, their properties, and errors."""

from __future__ import annotations

import os
import threading

streamCaptureModeGlobal = 0  # noqa: N816
streamCaptureModeThreadLocal = 1  # noqa: N816
streamCaptureModeRelaxed = 2  # noqa: N816

TOTAL_MEMORY = 8 << 30  # bytes of each device

_ERRORS = {
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    401: "cudaErrorIllegalState: the operation cannot be performed in the present state",
    600: "cudaErrorNotReady: device not ready",
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    901: "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during "
    "capture",
    906: "cudaErrorStreamCaptureImplicit: operation would make the legacy stream depend on a "
    "capturing blocking stream",
}

_thread = threading.local()


class CUDARuntimeError(RuntimeError):
    """An error of CUDA, by its number."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(_ERRORS[status])

    def __reduce__(self) -> tuple:
        return type(self), (self.status,)


def getDeviceCount() -> int:
    """How many GPUs there are: `CUPY_STAND_IN_DEVICES`, or 2."""
    count = int(os.environ.get("CUPY_STAND_IN_DEVICES", "2"))
    if count == 0:
        raise CUDARuntimeError(100)
    return count


def getDevice() -> int:
    return getattr(_thread, "device", 0)


def setDevice(device: int) -> None:
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)
    _thread.device = device


def driverGetVersion() -> int:
    return 12090


def runtimeGetVersion() -> int:
    return 12090


def getDeviceProperties(device: int) -> dict:
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)
    return {
        "name": b"a stand-in, no GPU",
        "multiProcessorCount": 2,
        "totalGlobalMem": TOTAL_MEMORY,
        "major": 8,
        "minor": 0,
        "warpSize": 32,
        "maxThreadsPerBlock": 1024,
        "sharedMemPerBlock": 48 << 10,
        "clockRate": 1_000_000,
        "memoryClockRate": 1_000_000,
        "memoryBusWidth": 64,
        "l2CacheSize": 1 << 20,
    }


def memGetInfo() -> tuple[int, int]:
    """Free and total bytes of the current device."""
    from cupy.cuda import memory

    return TOTAL_MEMORY - memory.allocated(getDevice()), TOTAL_MEMORY


def deviceSynchronize() -> None:
    from cupy.cuda import stream

    stream.wait_for_device()
