"""What does not belong together is an error at the door that names the operation."""

import backends
import moving
import numpy as np
import pytest


def of_the_other_kind(array):
    """An array as CuPy would have it, as far as minise looks; on a GPU one of NumPy."""
    if backends.current() == "cupy":
        return moving.Stays(array)

    def attribute(self, name):
        return getattr(array, name)

    return type("ndarray", (), {"__module__": "cupy", "__getattr__": attribute})()


def float32(array):
    return array.astype(np.float32)


def with_one_changed(arrays, change, kinds="f"):
    """The arrays with one of them changed, for each of them in turn."""
    for k, array in enumerate(arrays):
        if array.dtype.kind in kinds:
            yield [*arrays[:k], change(array), *arrays[k + 1 :]]


def test_mixed_dtypes_are_refused(operation):
    if len([x for x in operation.inputs if x.dtype.kind == "f"]) > 1:
        for mixed in with_one_changed(operation.inputs, float32):
            with pytest.raises(TypeError, match=f"^{operation.operation}: mixed dtypes"):
                operation.forward(*mixed)


def test_arrays_of_two_kinds_are_refused(operation):
    if len(operation.inputs) > 1:
        for mixed in with_one_changed(operation.inputs, of_the_other_kind, "fi"):
            with pytest.raises(TypeError, match=f"^{operation.operation}: NumPy and CuPy arrays"):
                operation.forward(*mixed)


def test_whole_numbers_are_refused(operation):
    whole = [x.astype(int) for x in operation.inputs]
    message = "(.* is int64, expected float32|mixed dtypes)"  # statistics stay as they are
    with pytest.raises(TypeError, match=f"^{operation.operation}: {message}"):
        operation.forward(*whole)


def test_what_is_no_array_is_refused(operation):
    for wrong in with_one_changed(operation.inputs, np.ndarray.tolist, "fi"):
        with pytest.raises(TypeError, match=f"^{operation.operation}: expected a NumPy or CuPy"):
            operation.forward(*wrong)


def takes_any_cotangent(y, backward):
    """That of the loss is one number; a sum saves nothing that its cotangent could be held to."""
    return y.ndim == 0 or backward.saved is None


def test_a_cotangent_of_another_dtype_or_kind_is_refused(operation):
    y, backward = operation.forward(*operation.inputs)
    if takes_any_cotangent(y, backward):
        return
    dy = operation.like(y)
    for change in (float32, of_the_other_kind):
        with pytest.raises(TypeError, match=f"^{operation.operation}_backward: "):
            backward(change(dy))


def test_a_cotangent_of_another_shape_is_refused(operation):
    y, backward = operation.forward(*operation.inputs)
    if takes_any_cotangent(y, backward):
        return
    with pytest.raises(ValueError, match=f"^{operation.operation}_backward: dy has shape"):
        backward(np.ones((*y.shape, 1)))
