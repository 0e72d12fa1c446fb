#!/usr/bin/env bash
# onnx-safetensors 1.6.0: load_file compares only the bytes of a file's tensor with those of the
# model's of that name. If they are as many, the model takes over the file's shape and type, without
# a word: a scale for each channel, saved flat, scales columns instead where there are as many, and
# the runtimes compute it. Tensors whose names the model lacks are passed over, were it all of them,
# so that a prefix in the file's names leaves the model as it was. Other numbers of bytes raise
# ValueError. onnx.checker sees the shape, if asked for full_check.
#
#   y = x · g, x of ones, g in the model (2, 1, 1)     y of channels, seen     full_check
#   file: g (2, 1, 1) of 3 and 5                       [3 3] [3 3]; [5 5] …    passes
#   file: g (2,) of 3 and 5                            [3 5] [3 5]; [3 5] …    InferenceError
#   file: net.g (2, 1, 1) of 3 and 5                   [1 1] [1 1]; [1 1] …    passes
#   file: g (3, 1, 1)                                  ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  onnx-safetensors==1.6.0 safetensors==0.8.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
cat > shape.py <<'END'
import numpy as np
import onnx
import onnx_safetensors
import onnxruntime
from safetensors.numpy import save_file

model = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2, 2, 2] x) => (float[N, 2, 2, 2] y) <float[2, 1, 1] g = {1, 1}>
    { y = Mul(x, g) }"""
)
onnx.checker.check_model(model, full_check=True)
x = np.ones((1, 2, 2, 2), np.float32)


def loaded(name, g):
    """The gates of channels and columns that a runtime computes, and whether the model is valid."""
    save_file({name: np.array(g, np.float32)}, "g.safetensors")
    after = onnx_safetensors.load_file(model, "g.safetensors")
    session = onnxruntime.InferenceSession(
        after.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": x})
    try:
        onnx.checker.check_model(after, full_check=True)
        verdict = "passes"
    except onnx.shape_inference.InferenceError as error:
        verdict = type(error).__name__
    seen = y[0].tolist(), list(after.graph.initializer[0].dims), verdict
    print(name, np.shape(g), *seen)
    return seen


def channels(a, b):
    return [[[a, a], [a, a]], [[b, b], [b, b]]]


assert loaded("g", [[[3]], [[5]]]) == (channels(3, 5), [2, 1, 1], "passes")
columns = [[[3, 5], [3, 5]], [[3, 5], [3, 5]]]
assert loaded("g", [3, 5]) == (columns, [2], "InferenceError")
assert loaded("net.g", [[[3]], [[5]]]) == (channels(1, 1), [2, 1, 1], "passes")
try:
    loaded("g", [[[3]], [[5]], [[7]]])
except ValueError as error:
    print("g (3, 1, 1) ValueError:", error)
else:
    raise AssertionError("a tensor of another size was taken")
END
venv/bin/python shape.py
