"""Peak memory of a training step, measured from outside: by the size the system reports.

A separate process for each measurement imports the library, makes the net and its batch, and takes
one step with few images, so that libraries, compiled code, thread pools and the gradients' arrays
are there. Then, where the C library can, freed memory is given back to the system, since steps
could hide in it; the size of the process is read; and a few steps are taken. The result is the
largest size during these steps less the size before them: activations, gradients, and whatever
else the library keeps or wastes, but neither the batch itself nor the weights.

Linux reports the peak of a process and lets it be reset. On other Unix systems it can only be read,
so a higher peak while compiling hides the steps: there the result is a lower bound.

On a GPU the result is what the steps took from the free memory that the card reports. Both
libraries keep what they took, so this is their peak; memory that another process takes from the
same card meanwhile is counted too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minise import backend
from minise.backend import CuPy
from minise.bench.case import MemoryCase, Variant
from minise.bench.cases import images
from minise.bench.timing import Measured, summarise

PROCESSES, STEPS = 3, 5
PROCESSES_ON_GPU = 1  # a card reports the same each time
WARM_UP_BATCH = 16  # small, but enough for the kernels of larger batches


def can_be_measured() -> bool:
    """Whether this system reports the size of a process; a GPU always does."""
    if backend.current().on_gpu:
        return True
    try:
        peak_size()
    except ImportError:
        return False
    return True


def measure_memory(
    case: MemoryCase, variant: Variant | None, threads: int, processes: int | None = None
) -> Measured:
    """Bytes that a step took at its peak, for PyTorch in this variant, or for minise."""
    gpu = backend.current()
    if processes is None:
        processes = PROCESSES_ON_GPU if gpu.on_gpu else PROCESSES
    settings = {
        "net": case.net,
        "batch": case.batch,
        "threads": threads,
        "variant": variant,
        "backend": backend.current().name,
        "device": gpu.device if isinstance(gpu, CuPy) else None,
    }
    code = "from minise.bench import memory; memory.child()"
    command = [sys.executable, "-c", code, json.dumps(settings)]
    return summarise(
        int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        for _ in range(processes)
    )


def child() -> None:
    """What the separate process runs; prints the number of bytes."""
    settings = json.loads(sys.argv[1])
    backend.use(settings["backend"], device=settings["device"])
    gpu = backend.current()
    with gpu.running():
        trainer = trainer_of(settings)
        sizes = min(WARM_UP_BATCH, settings["batch"]), settings["batch"]
        warm_up, batch = (trainer.place(images(settings["net"], n)) for n in sizes)
        calls = (lambda: trainer.step(*warm_up)), (lambda: trainer.step(*batch))
        if isinstance(gpu, CuPy):
            print(taken_by_steps(gpu, *calls, trainer.give_memory_back))
        else:
            print(peak_of_steps(*calls))


def peak_of_steps(warm_up: Callable[[], object], step: Callable[[], object]) -> int:
    """The most bytes by which this process grew during a few steps."""
    warm_up()
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(
            "5", encoding="utf-8"
        )  # Linux: the peak starts again from the present size
    before = size_now()
    for _ in range(STEPS):
        step()
    return max(0, peak_size() - before)


def taken_by_steps(
    gpu: CuPy,
    warm_up: Callable[[], object],
    step: Callable[[], object],
    give_back: Callable[[], object],
) -> int:
    """Bytes that a few steps took from the GPU, without the arrays made before them."""
    warm_up()
    gpu.synchronize()
    gc.collect()
    give_back()
    before = gpu.memory().free
    for _ in range(STEPS):
        step()
    gpu.synchronize()
    return max(0, before - gpu.memory().free)


def size_now() -> int:
    """Resident bytes of this process; where only the peak is known, the peak so far."""
    return _linux("VmRSS") or peak_size()


def peak_size() -> int:
    """The most bytes that were ever resident. Raises `ImportError` where this is unknown."""
    if peak := _linux("VmHWM"):
        return peak
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _linux(field: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def trainer_of(settings: dict[str, Any]) -> Any:
    """The trainer of one library; the other is not even imported."""
    if settings["variant"] is None:
        from minise.bench.ours import Trainer

        backend.set_num_threads(settings["threads"])
        return Trainer(settings["net"])
    from minise.bench import pytorch

    pytorch.set_up(settings["threads"])
    return pytorch.Trainer(settings["net"], Variant(*settings["variant"]))
