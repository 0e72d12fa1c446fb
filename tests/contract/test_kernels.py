"""Kernels are found by name: each belongs to an operation, and is called with all its arguments."""

import functools
import inspect

import pytest

from minise import backend, ops
from minise.gradcheck import EXAMPLES
from minise.kernels import numba as kernels
from minise.ops import activation

# A second package of kernels has to take what this one takes, and is to be listed beside it.
PACKAGES = {"numba": kernels}
KERNELS = [(package, name) for package, module in PACKAGES.items() for name in module.__all__]


@pytest.mark.parametrize(("package", "name"), KERNELS)
def test_every_kernel_belongs_to_an_operation(package, name):
    assert name in ops.__all__
    assert callable(getattr(PACKAGES[package], name))


@pytest.mark.parametrize(
    ("package", "name"), [pair for pair in KERNELS if not pair[1].endswith("_backward")]
)
def test_a_kernel_takes_the_arrays_of_its_operation_first_by_the_same_names(package, name):
    of_operation = [
        parameter.name
        for parameter in inspect.signature(getattr(ops, name)).parameters.values()
        if parameter.annotation in ("Array", "Array | None")
    ]
    of_kernel = list(inspect.signature(getattr(PACKAGES[package], name)).parameters)
    assert of_kernel[: len(of_operation)] == of_operation


@pytest.mark.parametrize("package", PACKAGES)
def test_the_operations_call_every_kernel_with_its_whole_signature(package, monkeypatch, make):
    called = set()
    monkeypatch.setattr(activation, "FEW", 0)

    def watched(name, kernel):
        @functools.wraps(kernel)
        def call(*arguments):
            assert len(arguments) == len(inspect.signature(kernel).parameters), name
            called.add(name)
            return kernel(*arguments)

        return call

    for name in PACKAGES[package].__all__:
        monkeypatch.setattr(
            PACKAGES[package], name, watched(name, getattr(PACKAGES[package], name))
        )
    with backend(package):
        for example in EXAMPLES:
            subject = make(example)
            y, backward = subject.forward(*subject.inputs)
            backward(subject.like(y))
    assert called == set(PACKAGES[package].__all__)
