"""What a forward and a backward may change, and that they give the same each time."""

import copy

import numpy as np
from closeness import assert_close


def assert_same_bits(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def arrays_in(saved):
    """Every array among what was saved, however deep."""
    if isinstance(saved, tuple):
        return [array for part in saved for array in arrays_in(part)]
    return [saved] if isinstance(saved, np.ndarray) else []


def test_forward_changes_nothing_but_running_statistics(subject):
    inputs = copy.deepcopy(subject.inputs)
    state = {} if subject.layer is None else subject.layer.state_dict()
    subject.forward(*subject.inputs)
    assert_same_bits(subject.inputs, inputs)
    for name, before in state.items():
        running = name.rpartition(".")[2] in ("running_mean", "running_var")
        moved = not np.array_equal(subject.layer.state_dict()[name], before)
        assert moved == (running and subject.training)
    assert not any(grad.any() for grad in subject.grads())


def test_evaluation_changes_nothing_at_all(layer):
    before = copy.deepcopy(layer.layer.state_dict())
    layer.layer(*layer.inputs)
    after = layer.layer.state_dict()
    assert list(after) == list(before)
    assert_same_bits(after.values(), before.values())


def test_backward_changes_neither_its_cotangent_nor_the_inputs_nor_the_output(subject):
    y, backward = subject.forward(*subject.inputs)
    dy = subject.like(y)
    before = copy.deepcopy((*subject.inputs, y, dy))
    backward(dy)
    assert_same_bits((*subject.inputs, y, dy), before)


def test_backward_changes_nothing_that_was_saved(operation):
    y, backward = operation.forward(*operation.inputs)
    before = copy.deepcopy(arrays_in(backward.saved))
    backward(operation.like(y))
    assert_same_bits(arrays_in(backward.saved), before)


def test_backward_may_be_called_twice_and_gives_the_same(subject):
    y, backward = subject.forward(*subject.inputs)
    dy = subject.like(y)
    once = copy.deepcopy(backward(dy))
    assert_same_bits(backward(dy), once)


def test_a_run_is_repeated_to_the_bit(subject):
    dy = subject.like(subject.twin().forward(*subject.inputs)[0])
    results = []
    for twin in (subject.twin(), subject.twin()):
        y, backward = twin.forward(*subject.inputs)
        results.append([y, *backward(dy), *twin.grads()])
    assert_same_bits(*results)


def test_backward_is_linear_in_its_cotangent(subject):
    y, backward = subject.forward(*subject.inputs)
    dy = subject.like(y)
    for once, thrice in zip(backward(dy), backward(3 * dy), strict=True):
        if once is not None:
            assert_close(thrice, 3 * once)
