"""Whether cuBLAS may make matrix products: CuPy does not let it work while a graph is captured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cublas: ContextVar[bool] = ContextVar("minise_cublas", default=True)


def cublas() -> bool:
    """Whether matrix products are cuBLAS's."""
    return _cublas.get()


@contextmanager
def without_cublas() -> Iterator[None]:
    """Make every product with the kernels of this package."""
    token = _cublas.set(False)
    try:
        yield
    finally:
        _cublas.reset(token)
