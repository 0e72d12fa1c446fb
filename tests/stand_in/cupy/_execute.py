"""How everything runs that is no kernel: on NumPy, at once or when a graph is launched.

`produce` makes a new array, `change` writes into one. While the current stream is captured
neither is done: what they would write to is made, and how is written down for the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cupy.cuda import runtime, stream

if TYPE_CHECKING:
    from cupy._array import ndarray


def silent() -> np.errstate:
    """A GPU does not warn."""
    return np.errstate(all="ignore")


SCALARS = (bool, int, float, complex, np.bool_, np.number)


def is_array(value: object) -> bool:
    return type(value).__name__ == "ndarray" and hasattr(value, "_host")


def operand(value: Any) -> Any:
    """What NumPy computes with: the array's own memory, or the number. All else is refused."""
    if is_array(value):
        if value._device != runtime.getDevice():
            raise ValueError(
                "Array device must be same as the current device: "
                f"array device = {value._device} while current = {runtime.getDevice()}"
            )
        return value._host
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def operands(values: tuple) -> list:
    return [operand(value) for value in values]


def array_operand(value: Any, what: str = "argument") -> np.ndarray:
    """The same, where a number will not do."""
    if not is_array(value):
        raise TypeError(f"{what} must be a cupy.ndarray, not {type(value)}")
    return operand(value)


def produce(
    compute: Callable[..., Any], *inputs: Any, order: str = "C", needs_wait: bool = False
) -> ndarray:
    """A new array of what `compute` makes of the operands. Its shape may not depend on numbers
    in arrays unless `needs_wait`: then the processor has to know them first."""
    from cupy._array import allocate

    hosts = operands(inputs)
    if needs_wait:
        stream.wait()
    with silent():
        result = np.asarray(compute(*hosts))
    out = allocate(result, order)
    target = out._host

    def write() -> None:
        with silent():
            target[...] = compute(*hosts)

    recording = stream.recording_of(stream.get_current_stream())
    if recording:
        recording.steps.append(write)
    else:
        with stream.lock:
            target[...] = result
    return out


def change(write: Callable[..., Any], target: ndarray, *inputs: Any) -> ndarray:
    """Let `write(host, *operands)` change the array in place."""
    host, hosts = operand(target), operands(inputs)
    recording = stream.recording_of(stream.get_current_stream())
    if recording:
        with silent():
            write(host.copy(), *hosts)  # raises what it would raise, and changes nothing

        def step() -> None:
            with silent():
                write(host, *hosts)

        recording.steps.append(step)
    else:
        with silent(), stream.lock:
            write(host, *hosts)
    return target


def run(compute: Callable[..., Any], inputs: Any, out: Any) -> ndarray:
    """The result as a new array, or written to `out`."""
    if out is None:
        return produce(compute, *inputs)
    if not is_array(out):
        raise TypeError("Output arguments type must be cupy.ndarray")
    shape = np.broadcast_shapes(*(np.shape(operand(value)) for value in inputs), ())
    if isinstance(compute, np.ufunc) and out.shape != shape:
        raise ValueError("Out shape is mismatched")
    return change(lambda host, *x: compute(*x, out=host), out, *inputs)
