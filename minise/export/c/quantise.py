"""Numbers of 8 bits for those of a net: real = scale · (byte − zero), as Jacob et al. have them.

Benoit Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, arXiv 1712.05877, equation 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.export.graph import Graph
from minise.export.plan import MEMORY, Plan, is_map


class Scale(NamedTuple):
    """real = scale · (byte − zero), for bytes 0 to 255."""

    scale: float
    zero: int


def scales(graph: Graph, plan: Plan, images: Array) -> dict[str, Scale]:
    """One for each map that lies in memory, from the values that it has for the images.

    What only moves or picks numbers keeps the scale that they have; rows, and gates among them,
    are no maps.
    """
    values = graph.run(images)
    of: dict[str, Scale] = {}
    for step in plan.steps:
        y = step.output
        if not is_map(y) or y.place != MEMORY:
            continue
        (x, *_) = (value.name for value in step.inputs if not isinstance(value, np.ndarray))
        if step.op in ("MaxPool", "Transpose") and not step.then and x in of:
            of[y.name] = of[x]
        else:
            of[y.name] = _scale(values[y.name if y.name in values else x])  # x in another order
    return of


def _scale(values: Array) -> Scale:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)  # 0 is a byte as well
    scale = float(np.float32((high - low) / 255)) or 1.0
    return Scale(scale, round(-low / scale))


def as_int8(weight: Array) -> tuple[Array, Array]:
    """Weights (…, F) as int8 from -127 to 127, and the scale of each filter, (F,) float32."""
    largest = np.abs(weight).max(axis=tuple(range(weight.ndim - 1)))
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weight / scale).clip(-127, 127).astype(np.int8), scale
