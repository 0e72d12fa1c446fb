"""The forms in which people have their gradients; each becomes a `Subject`."""

from __future__ import annotations

from typing import Any

from minise.errors import InputError
from minise.gradcheck.forms.layers import LayerWithLoss
from minise.gradcheck.forms.pairs import Functions
from minise.gradcheck.subject import Pair, Subject
from minise.nn.layer import Layer


def subject_of(
    given: Any, inputs: tuple[Any, ...], training: bool = True, loss: Pair | None = None
) -> Subject:
    """What was given, in the form that it has.

    Raises `InputError` for what is in no form that is known, or has nothing to differentiate.
    """
    subject: Subject
    if isinstance(given, Layer):
        subject = LayerWithLoss(given, inputs, training, loss)
    elif isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        if loss is not None:
            raise InputError(
                "gradcheck: loss= is for layers; put the loss of functions into the pair"
            )
        subject = Functions(given, inputs)
    else:
        raise InputError(
            "gradcheck: expected a pair (forward, backward) of functions, or a layer, "
            f"got {given!r}"
        )
    if not any(array.size for array in subject.variables.values()):
        raise InputError(f"gradcheck: {subject.name} was given no float array to differentiate")
    return subject
