"""Kernels without the rows and columns that see padding alone.

Where a map has a single row, so does what a convolution needs of its kernel: of 3x3 with a padding
of 1 that is the row in the middle. OpenCV 4.14 gives wrong numbers for the whole of it where each
channel has its own filter, and code is quicker without.
"""

from __future__ import annotations

from minise.export.graph import Graph, Node


def trim_kernels(graph: Graph) -> None:
    """Rewrite the graph's convolutions of maps of one row or one column."""
    for node in [node for node in graph.nodes if node.op == "Conv"]:
        trimmed = _trimmed(graph, node)
        if trimmed is not node:
            graph.replace(node, [trimmed])
    graph.drop_unread()


def _trimmed(graph: Graph, node: Node) -> Node:
    x, weight, *bias = node.inputs
    if weight not in graph.constants:
        return node
    options = {key: [*value] for key, value in node.options.items() if key != "group"}
    w = graph.constants[weight]  # (F, C / groups, KH, KW)
    for axis in (0, 1):
        at, rest = divmod(options["pads"][axis], options["dilations"][axis])
        one = graph.shape(x)[axis + 1] == graph.shape(node.name)[axis + 1] == 1
        if not one or rest or at >= w.shape[axis + 2] or w.shape[axis + 2] == 1:
            continue
        w = w.take([at], axis + 2)
        options["pads"][axis] = options["pads"][axis + 2] = 0
        for key in ("kernel_shape", "strides", "dilations"):
            options[key][axis] = 1
    if w is graph.constants[weight]:
        return node
    name = graph.free(f"{weight}.trimmed")
    graph.constants[name] = w
    pairs = {key: tuple(value) for key, value in options.items()}
    return node._replace(inputs=(x, name, *bias), options={**node.options, **pairs})
