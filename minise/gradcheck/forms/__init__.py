"""The forms in which people have their gradients; each becomes a `Subject`."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minise.errors import InputError
from minise.gradcheck.forms.foreign import around, foreign
from minise.gradcheck.forms.layers import LayerWithLoss
from minise.gradcheck.forms.objects import Methods, Object, methods_of, takes_nothing, with_gradient
from minise.gradcheck.forms.pairs import FORMS, Functions, Loss, Told
from minise.gradcheck.subject import Subject, is_float
from minise.nn.layer import Layer

__all__ = ["Told", "subject_of"]


def subject_of(
    given: Any,
    inputs: tuple[Any, ...],
    training: bool = True,
    loss: Any = None,
    told: Told = Told(),  # noqa: B008 (nobody can change it)
) -> Subject:
    """What was given, in the form that it has.

    Raises `InputError` for what is in no form that is known, or has nothing to differentiate.
    """
    subject = foreign(given, inputs, training, loss, told) or _of_minise_or_numpy(
        given, inputs, training, loss, told
    )
    if not any(array.size for array in subject.variables.values()):
        empty = ", ".join(f"{n} {array.shape}" for n, array in subject.variables.items())
        why = f"has no entries to differentiate: {empty}"
        if not empty and any(map(is_float, subject.inputs.values())):
            why = "has nothing to differentiate: backward gave no gradient of a float array"
        elif not empty:
            why = "was given no float array to differentiate"
        raise InputError(f"gradcheck: {subject.name} {why}")
    for name, array in subject.variables.items():
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise InputError(
                f"gradcheck: {name} has {array[tuple(where)]} at {where}, where there are no "
                "differences: expected finite numbers"
            )
    return subject


def _of_minise_or_numpy(
    given: Any, inputs: tuple[Any, ...], training: bool, loss: Any, told: Told
) -> Subject:
    if isinstance(given, type):
        if not takes_nothing(given):
            raise InputError(
                f"gradcheck: {given.__name__} is a class that needs arguments: give an object, as "
                f"in {given.__name__}(…)"
            )
        given = given()
    if isinstance(given, Layer):
        if told != Told():
            raise InputError(
                "gradcheck: names=, returns= and outputs= are for functions and objects: a layer "
                "of minise names all itself"
            )
        if loss is not None and not isinstance(loss, tuple):
            raise InputError("gradcheck: loss= of a layer is a pair (forward, backward)")
        return LayerWithLoss(given, inputs, training, loss)
    if loss is not None:
        raise InputError("gradcheck: loss= is for layers; put the loss of functions into the pair")
    if not inputs:
        raise InputError("gradcheck: expected inputs to check with, as in check(subject, x)")
    if isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        things = [getattr(function, "__self__", None) for function in given]
        if inspect.ismethod(given[0]) and things[0] is things[1]:  # (layer.forward, layer.backward)
            methods = Methods(*(function.__name__ for function in given))
            return Object(things[0], methods, inputs, training, told)
        pair, arrays = around(given, inputs)
        return Functions(pair, arrays, told)
    if (found := methods_of(given)) is not None:
        return Object(given, found, inputs, training, told)
    if inspect.ismethod(given) and not isinstance(given.__self__, type):
        found = with_gradient(given.__self__, given.__name__)
        return Object(given.__self__, found, inputs, training, told)
    if callable(given):
        return Loss(given, inputs, told)
    raise InputError(f"gradcheck: expected {FORMS}, got {given!r}")
