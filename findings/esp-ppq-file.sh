#!/usr/bin/env bash
# esp-ppq 1.3.12: espdl_quantize_onnx, which quantises a model for Espressif's chips, writes what
# onnxsim makes of the model over the ONNX file that it is given to read, with skip_export=True too.
# What was there is lost: here BatchNormalization and its weights, and all names of weights. The
# tutorial of ESP-DL names three files that are exported, and not this one.
#
#   net.onnx before           Conv, BatchNormalization, Relu; w, gamma, beta, mean, var
#   after, seen               Conv, Relu; no gamma, beta, mean or var
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install esp-ppq==1.3.12 torch==2.13.0 \
  onnx==1.19.1 onnxsim==0.7.3 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
cat > quantise.py <<'END'
from pathlib import Path

import onnx
import torch
from esp_ppq.api import espdl_quantize_onnx

model = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["" : 17]>
    net (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y)
    <float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] gamma = {1, 2}, float[2] beta = {3, 4},
     float[2] mean = {5, 6}, float[2] var = {7, 8}>
    { a = Conv(x, w) b = BatchNormalization(a, gamma, beta, mean, var) y = Relu(b) }"""
)
onnx.checker.check_model(model, full_check=True)


def content(path):
    graph = onnx.load(path).graph
    return [n.op_type for n in graph.node], [w.name for w in graph.initializer]


for skip_export in (False, True):
    onnx.save(model, "net.onnx")
    before = Path("net.onnx").read_bytes()
    print("before:", *content("net.onnx"))
    espdl_quantize_onnx(
        onnx_import_file="net.onnx",
        espdl_export_file="net.espdl",
        calib_dataloader=[torch.rand(1, 2, 4, 4) for _ in range(4)],
        calib_steps=4,
        input_shape=[1, 2, 4, 4],
        skip_export=skip_export,
        error_report=False,
    )
    assert Path("net.onnx").read_bytes() != before
    operators, names = content("net.onnx")
    print("after:", operators, names)
    assert operators == ["Conv", "Relu"]
    assert not {"gamma", "beta", "mean", "var"} & set(names)
END
venv/bin/python quantise.py
