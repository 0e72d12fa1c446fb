"""What a forward and its backward must do, or leave, beside getting the numbers right.

- "inputs kept": forward changes neither its input nor, in a layer, anything but running averages,
  and these in training alone; backward changes neither dy nor x nor y
- "called twice": backward may run a second time, and adds to the `grad` of a parameter
- "linear in dy": the gradient is, and so it is 0 for dy = 0
- "used twice in a net": of two forwards neither disturbs the backward of the other, whether the
  second has other inputs, labels or signs
- "memory orders": none of x or of dy changes the result
- "parameters found": those of a layer are where it finds them
- "one forward": what is differentiated gives the output that forward gives alone (in JAX a function
  and its fwd, in PyTorch also under no_grad)

`check(…, habits={"memory orders": False})` leaves one out. What a form of code cannot keep (an
object holds the numbers of its last forward) is not asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.own_errors import in_short, told
from minise.gradcheck.subject import Gradients, Subject
from minise.nearest import nearest

SECOND = "of two forwards the second"  # told where the first has no fault
CLOSE = 1e-9  # relative to the largest number: sums may be taken in another order


@dataclass(frozen=True)
class Asked:
    """A subject, dy, and how near numbers are that are the same."""

    subject: Subject
    dy: Any
    rng: np.random.Generator
    close: float = CLOSE
    least: float = 0.0  # of y and of gradients, that is more than noise

    def gradients(self, dy: Any) -> Gradients:
        """Of a run of its own."""
        _, backward = self.subject.fresh().run(_copies(self.subject.variables))
        return _copies(backward(np.copy(dy)[()]))

    def alike(self, a: Array, b: Array, largest: float) -> bool:
        """Whether they are the same, but for rounding beside the largest number."""
        return a.shape == b.shape and np.allclose(
            a, b, rtol=self.close, atol=max(self.close * largest, self.least), equal_nan=True
        )


def _inputs_kept(asked: Asked) -> Iterator[str]:
    subject, dy = asked.subject, asked.dy
    given, used = _copies(subject.variables), subject.fresh()
    state = used.state()
    y, backward = used.run(given)
    for name, array in subject.variables.items():
        if not _same(given[name], array):
            yield f"forward changed {name}, which it was given"
    for name, array in used.state().items():
        average = subject.training and name not in subject.variables
        if not average and not _same(array, state[name]):
            yield f"forward changed {name} of the layer"
    after_forward, y_before, dy_given = _copies(given), np.copy(y), np.copy(dy)
    backward(dy_given[()])
    if not _same(dy_given, dy):
        yield "backward changed dy, which it was given"
    if not _same(y, y_before):
        yield "backward changed y, the output of forward"
    for name in subject.variables:
        if not _same(given[name], after_forward[name]):
            yield f"backward changed {name}"


def _called_twice(asked: Asked) -> Iterator[str]:
    subject, dy = asked.subject, asked.dy
    _, backward = subject.fresh().run(_copies(subject.variables))
    raw = backward(np.copy(dy)[()])
    first = _copies(raw)
    second = _copies(backward(np.copy(dy)[()]))
    largest = _largest(first.values())
    for name, gradient in first.items():
        if asked.alike(second[name], gradient, largest):
            continue
        if name not in subject.given and not second[name].any():
            yield f"backward overwrites the grad of {name}, where it should add to it"
        else:
            yield f"backward gave a different gradient of {name} when called a second time"
    backward(2 * np.copy(dy)[()])
    for name in subject.given:
        if not _same(raw[name], first[name]):
            yield f"another backward changed the gradient of {name} that the first gave"


def _linear_in_dy(asked: Asked) -> Iterator[str]:
    """Whether backward(a·dy + e) = a·backward(dy) + backward(e)."""
    dy = asked.dy
    other = asked.rng.standard_normal(np.shape(dy))[()]
    gradients = [asked.gradients(cotangent) for cotangent in (dy, other, 2 * dy - other)]
    nothing = asked.gradients(np.zeros_like(dy)[()])
    largest = _largest(gradients[0].values())
    for name, (one, two, both) in _by_name(*gradients):
        if one.any() and _same(one, two):
            yield f"the gradient of {name} does not depend on dy"
        elif nothing[name].any():
            yield f"the gradient of {name} is not 0 where dy is"
        elif not asked.alike(both, 2 * one - two, largest):
            yield f"the gradient of {name} is not linear in dy: is dy multiplied in, once?"


def _used_twice_in_a_net(asked: Asked) -> Iterator[str]:
    """Two forwards, then the backward of each; against one after the other.

    The second has the numbers of the first in another order: so another mask, and other winners of
    a maximum, but nothing that the function is not made for. Then, as far as it is, other labels,
    and other signs: one number, or a sum, has another mask only there.
    """
    found = list(_nested(asked, asked.subject.given[:1], 0.5, {}))
    rng = np.random.default_rng(0)
    labels = {
        name: rng.permutation(array)
        for name, array in asked.subject.inputs.items()
        if isinstance(array, np.ndarray) and array.ndim and array.dtype.kind in "iu"
    }
    for scale in (0.5, -0.5):
        try:
            found += _nested(asked, asked.subject.given, scale, labels)
        except Exception:  # any: of the person's own code, on values that it is not made for
            continue
    yield from [line for line in found if not line.startswith(SECOND)] or found


def _nested(
    asked: Asked, names: Iterable[str], scale: float, labels: Mapping[str, Array]
) -> Iterator[str]:
    """With the numbers of `names` times `scale`, in another order, for the second forward."""
    subject, dy = asked.subject, asked.dy
    other = _copies(subject.variables)
    for name in names:
        order = np.random.default_rng(0).permutation(other[name].reshape(-1))
        other[name][...] = scale * order.reshape(other[name].shape)
    apart, used = asked.gradients(dy), subject.fresh()
    y, backward = used.run(_copies(subject.variables))
    y_before = np.copy(y)
    y_second, second = used.on({**subject.inputs, **labels}).run(_copies(other))
    y_second = np.copy(y_second)
    if not _same(y, y_before):
        yield "another forward changed the output of the first: is its memory used again?"
    after = _copies(backward(np.copy(dy)[()]))
    for name, (alone, nested) in _by_name(apart, after):
        if not asked.alike(alone, nested, _largest(apart.values())):
            yield (
                f"another forward before backward changed the gradient of {name}: "
                "used twice in a net it would be wrong"
            )
    y, backward = subject.fresh().on({**subject.inputs, **labels}).run(_copies(other))
    if not _same(y, y_second):  # a mask of its own, say
        return
    apart, after = _copies(backward(np.copy(dy)[()])), _copies(second(np.copy(dy)[()]))
    for name, (alone, nested) in _by_name(apart, after):
        if not asked.alike(alone, nested, _largest(apart.values())):
            yield f"{SECOND} has a wrong gradient of {name}"


def _memory_orders(asked: Asked) -> Iterator[str]:
    subject, dy = asked.subject, asked.dy
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
            yield f"fails where arrays are {order}: {told(error) or in_short(error)}"
            continue
        if not asked.alike(np.asarray(y), wanted_y, _largest([wanted_y])):
            yield f"forward gave a different output where arrays are {order}"
        for name, (one, two) in _by_name(wanted, got):
            if not asked.alike(two, one, _largest(wanted.values())):
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


def _largest(arrays: Iterable[Array]) -> float:
    """Of all gradients, since one that is 0 but for rounding has no size of its own."""
    return max(float(np.max(np.abs(array), initial=0.0)) for array in arrays)


def _parameters_found(asked: Asked) -> Iterator[str]:
    for name in asked.subject.overlooked():
        yield f"{name} holds parameters that the layer does not find: make them attributes"


def _one_forward(asked: Asked) -> Iterator[str]:
    """Where the form has another path to the output than the one that was compared."""
    variables, subject = asked.subject.variables, asked.subject
    y = np.array(subject.output(_copies(variables)))
    other = np.asarray(subject.fresh().other_path(_copies(variables)))
    if not asked.alike(other, y, _largest([y])):
        yield "forward gives another output where no gradient is asked for: two functions in one?"


HABITS: dict[str, Callable[[Asked], Iterator[str]]] = {
    "parameters found": _parameters_found,
    "inputs kept": _inputs_kept,
    "called twice": _called_twice,
    "linear in dy": _linear_in_dy,
    "used twice in a net": _used_twice_in_a_net,
    "memory orders": _memory_orders,
    "one forward": _one_forward,
}
BY_HAND = frozenset(HABITS) - {"one forward"}  # of code with a backward of its own


def missing(asked: Asked, switched: Mapping[str, bool]) -> tuple[str, ...]:
    """A line for each habit that is missing, of those that `switched` does not leave out.

    Raises `InputError` for a name that is none.
    """
    for name in switched:
        if name not in HABITS:
            raise InputError("gradcheck: " + nearest("habit", name, list(HABITS)))
    found = [
        line
        for name, lines in HABITS.items()
        if name in asked.subject.habits and switched.get(name, True)
        for line in _found(name, lines, asked)
    ]
    return tuple(dict.fromkeys(found))


def _found(name: str, lines: Callable[[Asked], Iterator[str]], asked: Asked) -> list[str]:
    """What the habit's runs showed, or what the person's own code raised in them."""
    try:
        return list(lines(asked))
    except Exception as error:  # any of the person's own code; others are raised again
        text = told(error)
        if text is None:
            raise
        return [f'fails where "{name}" is tried: {text}']
