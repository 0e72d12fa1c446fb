"""Whether a step of a training is the same work each time, so that a GPU may replay it."""

from __future__ import annotations

from minise.nn import Layer

SMALL = 1_000_000  # parameters: up to here a step takes longer to launch than to run


def repeats_itself(net: Layer) -> bool:
    """Whether a step of this net is the same work each time, and small.

    Layers from elsewhere may do anything; and large nets are faster with cuBLAS, which CuPy does
    not allow in a recording.
    """
    layers = [layer for _, layer in net.named_layers()]
    ours = all(type(layer).__module__.startswith("minise.") for layer in layers)
    same = all(layer.recordable for layer in layers)
    return ours and same and sum(p.value.size for p in net.parameters()) <= SMALL
