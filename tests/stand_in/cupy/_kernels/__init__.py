"""`RawModule` and `RawKernel`: CUDA C that really runs, on the processor."""

from __future__ import annotations

from typing import Any

from cupy import stand_in
from cupy._kernels import build, launch
from cupy.cuda import stream as streams
from cupy.cuda.driver import CUDADriverError


class RawKernel:
    """A kernel, compiled when it is first launched."""

    def __init__(
        self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc"
    ) -> None:
        self._module = RawModule(code=code, options=options, backend=backend)
        self.name = self.__name__ = name
        self._kernel: build.Kernel | None = None

    code = property(lambda self: self._module.code)
    options = property(lambda self: self._module.options)
    max_threads_per_block = property(lambda self: self.compiled().most_threads)
    shared_size_bytes = property(lambda self: self.compiled().static_shared)

    def compile(self, log_stream: Any = None) -> None:
        self.compiled()

    def compiled(self) -> build.Kernel:
        if self._kernel is None:
            try:
                self._kernel = self._module.compiled()[self.name]
            except KeyError:
                raise CUDADriverError(500, f"no kernel {self.name!r} in the source") from None
        return self._kernel

    def __call__(
        self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None
    ) -> None:
        bound = launch.bind(self.compiled(), grid, block, args, shared_mem)
        stand_in.launches += 1
        recording = streams.recording_of(stream or streams.get_current_stream())
        if recording:
            recording.steps.append(lambda: launch.execute(bound))
        else:
            with streams.lock:
                launch.execute(bound)


class RawModule:
    """A source with several kernels, compiled when the first of them is asked for."""

    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        name_expressions: Any = None,
    ) -> None:
        if code is None or path is not None or backend != "nvrtc" or name_expressions:
            raise NotImplementedError(
                "the stand-in takes sources alone, for NVRTC, without name_expressions"
            )
        if not isinstance(options, tuple):
            raise TypeError(f"options must be a tuple, not {type(options).__name__}")
        self.code, self.options, self.backend = code, options, backend
        self._kernels: dict[str, build.Kernel] | None = None

    def compile(self, log_stream: Any = None) -> None:
        self.compiled()

    def compiled(self) -> dict[str, build.Kernel]:
        if self._kernels is None:
            self._kernels = build.build(self.code, self.options)
        return self._kernels

    def get_function(self, name: str) -> RawKernel:
        kernel = RawKernel(self.code, name, self.options)
        kernel._module = self
        kernel.compiled()
        return kernel

    def get_global(self, name: str) -> Any:
        raise NotImplementedError("get_global: pass an array instead")
