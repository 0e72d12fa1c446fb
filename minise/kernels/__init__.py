"""The operations of `minise.ops` made fast: `numba` for processors, `cupy` for GPUs.

The kernel of `channel_scale` in `ops/scale.py` is the function of that name in `scale.py` here;
`minise.backend.accelerated` runs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def find(package: str, name: str) -> Callable[..., Any] | None:
    """The kernel called `name`, as in "scale.channel_scale", in this package, or None."""
    file, function = name.split(".")
    try:
        module = importlib.import_module(f"{package}.{file}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{file}":
            raise
        return None
    found = getattr(module, function, None)
    ours = getattr(found, "__module__", None) == module.__name__  # not imported into the file
    return found if ours else None
