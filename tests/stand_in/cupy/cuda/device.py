"""The devices, of which there are as many as `CUPY_STAND_IN_DEVICES` says."""

from __future__ import annotations

from cupy.cuda import runtime, stream


class Device:
    """One GPU; its context makes it the current one of this thread."""

    def __init__(self, device: int | Device | None = None) -> None:
        if device is None:
            device = runtime.getDevice()
        self.id = int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        before = runtime.getDevice()
        runtime.setDevice(self.id)
        self._before.append(before)
        return self

    def __exit__(self, *error: object) -> None:
        runtime.setDevice(self._before.pop())

    def use(self) -> None:
        runtime.setDevice(self.id)

    def synchronize(self) -> None:
        stream.wait_for_device()

    @property
    def mem_info(self) -> tuple[int, int]:
        with self:
            return runtime.memGetInfo()

    @property
    def compute_capability(self) -> str:
        properties = runtime.getDeviceProperties(self.id)
        return f"{properties['major']}{properties['minor']}"

    @property
    def attributes(self) -> dict[str, int]:
        properties = runtime.getDeviceProperties(self.id)
        return {
            "MultiProcessorCount": properties["multiProcessorCount"],
            "MaxThreadsPerBlock": properties["maxThreadsPerBlock"],
            "MaxSharedMemoryPerBlock": properties["sharedMemPerBlock"],
            "WarpSize": properties["warpSize"],
        }


def get_device_id() -> int:
    return runtime.getDevice()
