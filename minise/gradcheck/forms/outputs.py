"""Several outputs as one vector, and its cotangent taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minise.arrays import Array


def join(outputs: Sequence[Array]) -> Any:
    """One output as it is; several behind each other in a vector."""
    return outputs[0] if len(outputs) == 1 else np.concatenate([np.ravel(y) for y in outputs])


def split(dy: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """The cotangent of each output, from that of the joined ones."""
    if len(shapes) == 1:
        return [dy]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(dy, ends[:-1])
    return [part.reshape(shape)[()] for part, shape in zip(parts, shapes, strict=True)]
