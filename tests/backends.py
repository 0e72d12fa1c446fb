"""The backends that this machine has, and how a test runs on one of them."""

from contextlib import ExitStack, contextmanager
from unittest import mock

import moving

from minise import backend

NAMES = ("numpy", "numba", *(["cupy"] if moving.HAS_GPU else []))


@contextmanager
def using(name):
    """NumPy arrays will do on a GPU too, and few numbers are as good as many to see a kernel."""
    with ExitStack() as stack:
        if name == "numba":
            from minise.kernels.numba import activation

            for kernel in vars(activation).values():
                if hasattr(kernel, "few"):
                    stack.enter_context(mock.patch.object(kernel, "few", 0))
        yield stack.enter_context(moving.on_gpu() if name == "cupy" else backend.using(name))


def current():
    """The name of the backend in use."""
    return backend.current().name
