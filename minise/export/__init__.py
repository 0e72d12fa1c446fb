"""Nets for other runtimes: as ONNX models, as C, as JavaScript."""

from minise.export.c.compiled import c_difference
from minise.export.c.header import c_header, c_sizes, check_c_name
from minise.export.graph import Graph
from minise.export.javascript.module import javascript_module
from minise.export.layers import register
from minise.export.onnx.check import largest_difference
from minise.export.onnx.int8 import int8_model
from minise.export.onnx.model import check_installed, onnx_model, save_onnx
from minise.export.operators import OPERATORS
from minise.export.pixels import Pixels
from minise.export.trace import trace

__all__ = [
    "OPERATORS",
    "Graph",
    "Pixels",
    "c_difference",
    "c_header",
    "c_sizes",
    "check_c_name",
    "check_installed",
    "int8_model",
    "javascript_module",
    "largest_difference",
    "onnx_model",
    "register",
    "save_onnx",
    "trace",
]
