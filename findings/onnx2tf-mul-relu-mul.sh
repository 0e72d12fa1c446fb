#!/usr/bin/env bash
# onnx2tf 2.6.9 drops a Relu, or a Clip from 0 to 6, that stands between two multiplications by
# numbers: what it writes is one MUL by their product, which has no activation. It ends with 0, and
# nothing that it prints says so. y = 1/6 · relu(6x) becomes y = x. An Add or a Sigmoid in the place
# of one of the three leaves all of them, and so does a Clip without the first Mul.
#
#   nodes               seen: operators written     seen: largest error for x from -2 to 2
#   Mul, Relu, Mul      MUL                         2, y = x
#   Mul, Clip, Mul      MUL                         2, y = x
#   Add, Clip, Mul      ADD (with relu6), MUL       0
#   Mul, Sigmoid, Mul   MUL, LOGISTIC, MUL          0
#   Clip, Mul           RELU6, MUL                  0
#
# Python 3.12 is needed, as python3.12.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.12 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install onnx2tf==2.6.9 pyyaml==6.0.3
cd "$folder"
cat > fold.py <<'END'
import subprocess

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter
from onnx.reference import ReferenceEvaluator

NUMBERS = "float six = {6}, float sixth = {0.16666667}, float zero = {0}"
NODES = {
    "Mul, Relu, Mul": "a = Mul(x, six) b = Relu(a) y = Mul(b, sixth)",
    "Mul, Clip, Mul": "a = Mul(x, six) b = Clip(a, zero, six) y = Mul(b, sixth)",
    "Add, Clip, Mul": "a = Add(x, six) b = Clip(a, zero, six) y = Mul(b, sixth)",
    "Mul, Sigmoid, Mul": "a = Mul(x, six) b = Sigmoid(a) y = Mul(b, sixth)",
    "Clip, Mul": "b = Clip(x, zero, six) y = Mul(b, sixth)",
}
EXPECTED = {
    "Mul, Relu, Mul": (["MUL"], 2.0),
    "Mul, Clip, Mul": (["MUL"], 2.0),
    "Add, Clip, Mul": (["ADD", "MUL"], 0.0),
    "Mul, Sigmoid, Mul": (["MUL", "LOGISTIC", "MUL"], 0.0),
    "Clip, Mul": (["RELU6", "MUL"], 0.0),
}
x = np.linspace(-2, 2, 32, dtype=np.float32).reshape(1, 2, 4, 4)


def written(nodes):
    """The operators of the model that onnx2tf writes, and its largest error."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        net (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) <{NUMBERS}> {{ {nodes} }}"""
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")
    convert = ["venv/bin/onnx2tf", "-i", "net.onnx", "-o", "net", "-n"]
    subprocess.run(convert, check=True, capture_output=True)
    net = Interpreter("net/net_float32.tflite")
    net.allocate_tensors()
    (given,), (gives,) = net.get_input_details(), net.get_output_details()
    net.set_tensor(given["index"], x.transpose(0, 2, 3, 1))  # (N, H, W, C)
    net.invoke()
    y = net.get_tensor(gives["index"]).transpose(0, 3, 1, 2)
    (right,) = ReferenceEvaluator(model).run(None, {"x": x})
    names = [operator["op_name"] for operator in net._get_ops_details()]
    return [name for name in names if name != "DELEGATE"], float(np.abs(y - right).max())


for name, nodes in NODES.items():
    operators, error = written(nodes)
    print(f"{name}: {operators}, {error:.1e}")
    assert operators == EXPECTED[name][0]
    assert abs(error - EXPECTED[name][1]) < 1e-5
END
venv/bin/python fold.py
