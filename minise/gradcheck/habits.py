"""What a forward and its backward must do, or leave, beside getting the numbers right.

- forward gives the same twice, in the dtype of its input, and changes neither its input nor, in a
  layer, anything but running averages, and these in training alone
- backward gives gradients of the shape and dtype of what they belong to, changes neither dy nor x
  nor y nor what forward saved, and adds to the `grad` of a parameter
- the gradient is linear in dy, and so 0 for dy = 0
- one forward does not disturb the backward of another: a layer may be used twice in a net
- no memory order of x or of dy changes the result
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.subject import Gradients, Subject

CLOSE = 1e-9  # relative to the largest number: sums may be taken in another order


def habits(subject: Subject, dy: Any, rng: np.random.Generator) -> list[str]:
    """A line for each that is missing."""
    found = [
        *_forward(subject),
        *_backward(subject, dy),
        *_linear(subject, dy, rng),
        *_twice_in_a_net(subject, dy),
        *_memory_orders(subject, dy),
    ]
    return list(dict.fromkeys(found))


def _forward(subject: Subject) -> Iterator[str]:
    given, used = _copies(subject.variables), subject.fresh()
    state = used.state()
    y, _ = used.run(given)
    y = np.copy(y)
    if y.dtype != np.float64:
        yield f"forward turned float64 into {y.dtype}"
    for name, array in subject.variables.items():
        if not _same(given[name], array):
            yield f"forward changed {name}, which it was given"
    again, _ = subject.fresh().run(_copies(subject.variables))
    if not _same(y, again):
        yield "forward gave different outputs for one input: is it random, or does it keep state?"
    for name in subject.overlooked():
        yield f"{name} holds parameters that the layer does not find: make them attributes"
    for name, array in used.state().items():
        average = subject.training and name not in subject.variables
        if not average and not _same(array, state[name]):
            yield f"forward changed {name} of the layer"


def _backward(subject: Subject, dy: Any) -> Iterator[str]:
    given = _copies(subject.variables)
    y, backward = subject.fresh().run(given)
    after_forward, y_before, dy_given = _copies(given), np.copy(y), np.copy(dy)
    raw = backward(dy_given[()])
    first = _copies(raw)
    if not _same(dy_given, dy):
        yield "backward changed dy, which it was given"
    if not _same(y, y_before):
        yield "backward changed y, the output of forward"
    for name, array in subject.variables.items():
        if not _same(given[name], after_forward[name]):
            yield f"backward changed {name}"
        if (first[name].shape, first[name].dtype) != (array.shape, array.dtype):
            yield (
                f"the gradient of {name} is {first[name].dtype} {first[name].shape}, "
                f"expected {array.dtype} {array.shape}"
            )
    second = _copies(backward(np.copy(dy)[()]))
    largest = _largest(first.values())
    for name, gradient in first.items():
        if gradient.shape == second[name].shape and _close(second[name], gradient, largest):
            continue
        if name not in subject.given and not second[name].any():
            yield f"backward overwrites the grad of {name}, where it should add to it"
        else:
            yield f"backward gave a different gradient of {name} when called a second time"
    backward(2 * np.copy(dy)[()])
    for name in subject.given:
        if not _same(raw[name], first[name]):
            yield f"another backward changed the gradient of {name} that the first gave"


def _linear(subject: Subject, dy: Any, rng: np.random.Generator) -> Iterator[str]:
    """Whether backward(a·dy + e) = a·backward(dy) + backward(e)."""
    other = rng.standard_normal(np.shape(dy))[()]
    gradients = [_gradients(subject, cotangent) for cotangent in (dy, other, 2 * dy - other)]
    nothing = _gradients(subject, np.zeros_like(dy)[()])
    largest = _largest(gradients[0].values())
    for name, (one, two, both) in _by_name(*gradients):
        if one.any() and _same(one, two):
            yield f"the gradient of {name} does not depend on dy"
        elif nothing[name].any():
            yield f"the gradient of {name} is not 0 where dy is"
        elif not _close(both, 2 * one - two, largest):
            yield f"the gradient of {name} is not linear in dy: is dy multiplied in, once?"


def _twice_in_a_net(subject: Subject, dy: Any) -> Iterator[str]:
    """Two forwards, then the backward of the first; against one after the other.

    The second has the numbers of the first in another order: so another mask, and other winners of
    a maximum, but nothing that the function is not made for.
    """
    other = _copies(subject.variables)
    first = other[next(iter(other))]
    first[...] = 0.5 * np.random.default_rng(0).permutation(first.reshape(-1)).reshape(first.shape)
    apart = _gradients(subject, dy)
    used = subject.fresh()
    y, backward = used.run(_copies(subject.variables))
    y_before = np.copy(y)
    used.run(other)
    if not _same(y, y_before):
        yield "another forward changed the output of the first: is its memory used again?"
    after = backward(np.copy(dy)[()])
    for name, (alone, nested) in _by_name(apart, after):
        if not _close(alone, nested, _largest(apart.values())):
            yield (
                f"another forward before backward changed the gradient of {name}: "
                "used twice in a net it would be wrong"
            )


def _memory_orders(subject: Subject, dy: Any) -> Iterator[str]:
    wanted_y, backward = subject.fresh().run(_copies(subject.variables))
    wanted_y = np.copy(wanted_y)
    wanted = _copies(backward(np.copy(dy)[()]))
    for order, arranged in ORDERS.items():
        try:
            variables = _copies(subject.variables)
            for name in subject.given:
                if variables[name].ndim:  # one number has no order
                    variables[name] = arranged(variables[name])
            y, backward = subject.fresh().run(variables)
            got = backward(arranged(dy) if np.ndim(dy) else dy)
        except Exception as error:  # any: it is what the person's own code raised
            yield f"fails where arrays are {order}: {type(error).__name__}: {error}"
            continue
        if not _close(np.asarray(y), wanted_y, _largest([wanted_y])):
            yield f"forward gave a different output where arrays are {order}"
        for name, (one, two) in _by_name(wanted, got):
            if not _close(two, one, _largest(wanted.values())):
                yield f"backward gave a different gradient of {name} where arrays are {order}"


def _every_second(x: Array) -> Array:
    spread = np.full((*x.shape, 2), np.nan)
    spread[..., 0] = x
    return spread[..., 0]


def _reversed(x: Array) -> Array:
    backwards = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[backwards])[backwards]


ORDERS: dict[str, Callable[[Array], Array]] = {
    "in Fortran order": np.asfortranarray,
    "every second element of others": _every_second,
    "reversed in memory": _reversed,
}


def _gradients(subject: Subject, dy: Any) -> Gradients:
    _, backward = subject.fresh().run(_copies(subject.variables))
    return _copies(backward(np.copy(dy)[()]))


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.array(array) for name, array in arrays.items()}


def _by_name(*gradients: Gradients) -> Iterator[tuple[str, list[Array]]]:
    """The arrays of each name, where their shapes are one."""
    for name in gradients[0]:
        arrays = [each[name] for each in gradients]
        if len({array.shape for array in arrays}) == 1:
            yield name, arrays


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True)


def _close(a: Array, b: Array, largest: float) -> bool:
    return a.shape == b.shape and np.allclose(
        a, b, rtol=CLOSE, atol=CLOSE * largest, equal_nan=True
    )


def _largest(arrays: Iterable[Array]) -> float:
    """Of all gradients, since one that is 0 but for rounding has no size of its own."""
    return max(float(np.max(np.abs(array), initial=0.0)) for array in arrays)
