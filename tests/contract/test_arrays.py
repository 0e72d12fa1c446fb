"""Dtypes, memory order, empty batches, NaN and infinity; and what one backend saves for another."""

import itertools

import backends
import numpy as np
import pytest
from closeness import assert_close
from rows import OF_LAYERS
from strategies import LAYOUTS, batch_last

from minise import nn


def needs_images(subject):
    """There are no statistics, or there is no mean, without."""
    if subject.layer is None:
        return subject.row.needs_images
    layers = (layer for _, layer in subject.layer.named_layers())
    return subject.training and any(isinstance(layer, nn.BatchNorm2d) for layer in layers)


def is_bounded(subject):
    """Infinity comes out as a finite number."""
    layer, row = subject.layer, subject.row
    if isinstance(layer, nn.Sequential):
        *_, (_, layer) = layer.children()
    if layer is not None:
        row = OF_LAYERS.get(type(layer).__name__)
    return row is not None and row.bounded


def floats_in(saved):
    """Every float array among what was saved, however deep."""
    if isinstance(saved, tuple):
        return [array for part in saved for array in floats_in(part)]
    is_float = isinstance(saved, np.ndarray) and saved.dtype.kind == "f"
    return [saved] if is_float else []


def assert_all_close(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_close(a, b)


def test_float32_stays_float32_throughout(float32_subject):
    subject = float32_subject
    y, backward = subject.forward(*subject.inputs)
    gradients = [g for g in backward(subject.like(y)) if g is not None]
    arrays = [y, *gradients, *subject.grads(), *floats_in(getattr(backward, "saved", ()))]
    if subject.layer is not None:
        arrays += [*subject.layer.state_dict().values(), subject.layer(*subject.inputs)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_float64_stays_float64_throughout(subject):
    y, backward = subject.forward(*subject.inputs)
    gradients = [g for g in backward(subject.like(y)) if g is not None]
    arrays = [y, *gradients, *subject.grads(), *floats_in(getattr(backward, "saved", ()))]
    assert {array.dtype for array in arrays} == {np.dtype(np.float64)}


def test_gradients_have_the_shapes_of_what_they_are_gradients_of(subject):
    y, backward = subject.forward(*subject.inputs)
    of_floats = [x for x in subject.inputs if x.dtype.kind == "f"]
    gradients = [gradient for gradient in backward(subject.like(y)) if gradient is not None]
    for gradient, x in zip(gradients, of_floats, strict=True):
        assert gradient.shape == x.shape


def runs_batch_last(array):
    """C, H, W, N: from one axis to the next the steps in memory become smaller."""
    steps = [step for step, size in zip(array.strides, array.shape, strict=True) if size > 1]
    in_memory = [*steps[1:], *steps[:1]]
    return in_memory == sorted(in_memory, reverse=True)


@pytest.mark.parametrize("images", ["numba", "numba, many images"], indirect=True)
def test_batch_last_memory_stays_batch_last_on_numba(subject):
    batched = [batch_last(x) for x in subject.inputs[: subject.batched]]
    y, backward = subject.forward(*batched, *subject.inputs[subject.batched :])
    gradients = backward(batch_last(subject.like(y)) if y.ndim else subject.like(y))
    of_batched = gradients[: len([x for x in batched if x.dtype.kind == "f"])]
    assert [runs_batch_last(array) for array in (y, *of_batched)] == [True] * (1 + len(of_batched))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_memory_order_makes_no_difference(subject, layout):
    laid = [LAYOUTS[layout](x) for x in subject.inputs]
    dy = subject.like(subject.twin().forward(*laid)[0])
    laid_dy = LAYOUTS[layout](dy) if dy.ndim else dy
    results = []
    for inputs, cotangent in [
        (laid, laid_dy),
        ([np.array(x, order="C") for x in laid], np.array(laid_dy, order="C")),
    ]:
        twin = subject.twin()
        y, backward = twin.forward(*inputs)
        results.append([y, *backward(cotangent), *twin.grads()])
    assert_all_close(*results)


@pytest.mark.parametrize("images", ["numba", "numba, many images"], indirect=True)
def test_what_one_backend_saves_the_others_can_use(subject):
    dy = subject.like(subject.twin().forward(*subject.inputs)[0])
    results = []
    for forward_on, backward_on in itertools.product(["numpy", "numba"], repeat=2):
        twin = subject.twin()
        with backends.using(forward_on):
            y, backward = twin.forward(*subject.inputs)
        with backends.using(backward_on):
            results.append([y, *backward(dy), *twin.grads()])
    for result in results[1:]:
        assert_all_close(result, results[0])


def test_an_empty_batch_gives_empty_outputs_and_no_gradient_to_parameters(subject, name):
    empty = subject.of_batch(0)
    if needs_images(subject) and "evaluation" not in name:
        with pytest.raises(ValueError, match=r"in a channel|an empty batch"):
            subject.forward(*empty)
        return
    y, backward = subject.forward(*empty)
    assert y.shape == (0, *subject.twin().forward(*subject.inputs)[0].shape[1:])
    gradients = backward(subject.like(y))
    for gradient, x in zip(gradients, empty, strict=False):
        if gradient is not None:
            assert gradient.shape == x.shape
            assert not gradient.any()
    assert not any(grad.any() for grad in subject.grads())


def outputs_with(value, subject):
    """The output for each float input with this value as its first number."""
    for k, x in enumerate(subject.inputs):
        if x.dtype.kind == "f":
            spoilt = [array.copy() for array in subject.inputs]
            spoilt[k].flat[0] = value
            with np.errstate(invalid="ignore"):
                yield subject.twin().forward(*spoilt)[0]


def test_nan_reaches_the_output(subject):
    for y in outputs_with(np.nan, subject):
        assert np.isnan(y).any()


def test_infinity_reaches_the_output_or_the_bound(subject):
    for above, below in zip(
        outputs_with(np.inf, subject), outputs_with(-np.inf, subject), strict=True
    ):  # one of them may end at a relu
        beyond = not (np.isfinite(above).all() and np.isfinite(below).all())
        assert beyond == (not is_bounded(subject))
