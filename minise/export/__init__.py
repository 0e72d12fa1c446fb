"""Nets as ONNX models, which other runtimes read; it needs the package onnx."""

from minise.export.check import largest_difference
from minise.export.model import check_installed, onnx_model, save_onnx

__all__ = ["check_installed", "largest_difference", "onnx_model", "save_onnx"]
