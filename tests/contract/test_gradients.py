"""Gradients of parameters are added, and a layer remembers nothing between two uses."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from closeness import assert_close

from minise import backend


def test_a_gradient_is_added_to_what_is_there_and_zero_grad_clears_it(layer):
    y, backward = layer.forward(*layer.inputs)
    dy = layer.like(y)
    backward(dy)
    once, there = layer.grads(), []
    for parameter in layer.layer.parameters():
        there.append(layer.like(parameter.value))
        parameter.grad[...] = backend.asarray(there[-1])
    backward(dy)
    for grad, first, before in zip(layer.grads(), once, there, strict=True):
        assert first.any()
        np.testing.assert_array_equal(grad, before + first)
    layer.layer.zero_grad()
    assert not any(grad.any() for grad in layer.grads())


def uses(subject, number):
    """Inputs for several uses of one subject, and their cotangents."""
    many = [subject.of_batch(len(subject.inputs[0])) for _ in range(number)]
    return [(inputs, subject.like(subject.twin().forward(*inputs)[0])) for inputs in many]


def one_after_the_other(subject, given):
    """Each use's output and gradients where its backward comes straight after its forward."""
    results = []
    for inputs, dy in given:
        y, backward = subject.forward(*inputs)
        results.append((y, *backward(dy)))
    return results


def assert_same_results(got, expected):
    for a, b in zip(got, expected, strict=True):
        for ours, alone in zip(a, b, strict=True):
            np.testing.assert_array_equal(ours, alone)


# In training they draw from their one generator.
DRAWING = {"Dropout", "DropPath", "InvertedResidual"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_backwards_of_several_uses_run_in_any_order(subject, order):
    """As in a net that uses a layer twice, or where it is called again before its backward."""
    given, alone = uses(subject, 3), subject.twin()
    expected = one_after_the_other(alone, given)
    passes = [subject.forward(*inputs) for inputs, _ in given]
    gradients = {k: passes[k][1](given[k][1]) for k in order}
    assert_same_results([(passes[k][0], *gradients[k]) for k in range(3)], expected)
    for together, apart in zip(subject.grads(), alone.grads(), strict=True):
        assert_close(together, apart)


def test_several_threads_may_use_it_at_once(subject, images, in_context):
    subject.training &= subject.operation not in DRAWING
    given, alone = uses(subject, 4), subject.twin()
    expected = one_after_the_other(alone, given)
    with ThreadPoolExecutor(4) as pool:
        pending = [
            pool.submit(in_context(one_after_the_other), subject, [use] * 3) for use in given
        ]
        results = [future.result() for future in pending]
    for got, once in zip(results, expected, strict=True):
        assert_same_results(got, [once] * 3)
    for together, apart in zip(subject.grads(), alone.grads(), strict=True):
        assert_close(together, 3 * apart)
