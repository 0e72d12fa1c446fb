#!/usr/bin/env bash
# OpenCV 5.0.0 computes a quantised 1 x 1 convolution wrongly: Conv between QuantizeLinear and
# DequantizeLinear, ONNX's own form of int8. The same model with a 3 x 3 kernel is right to the bit,
# and so are both in OpenCV 4.14.0, onnxruntime 1.32.0 and ONNX's reference (one step of the output's
# scale, 0.03, may decide). Nothing is said.
#
#   largest output, and how far off      1 x 1                 3 x 3
#   OpenCV 5.0.0, 1 channel              0.42, off by 0.24     1.38, right
#   OpenCV 5.0.0, 4 channels             1.29, off by 2.19     1.56, right
#   OpenCV 4.14.0                        right                 right
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > int8.py <<'END'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

FORM = """<ir_version: 8, opset_import: ["" : 19]>
g (float[N, %d, 6, 6] x) => (float[N, K, P, Q] y) {
  a = QuantizeLinear(x, s, z) b = DequantizeLinear(a, s, z) v = DequantizeLinear(w, sw, zw)
  c = Conv<kernel_shape = [%d, %d]>(b, v)
  d = QuantizeLinear(c, t, r) y = DequantizeLinear(d, t, r)
}"""
STEP = np.float32(0.03)


def model(channels, size):
    made = onnx.parser.parse_model(FORM % (channels, size, size))
    w = np.random.default_rng(0).integers(-60, 60, (2, channels, size, size)).astype(np.int8)
    numbers = {
        "s": np.float32(0.01), "z": np.uint8(60), "w": w, "sw": np.float32(0.01),
        "zw": np.int8(0), "t": STEP, "r": np.uint8(100),
    }
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()
    )
    onnx.checker.check_model(made, full_check=True)
    return made


wrong = []
for channels in (1, 4):
    for size in (1, 3):
        made = model(channels, size)
        x = np.random.default_rng(1).uniform(-0.5, 1, (1, channels, 6, 6)).astype(np.float32)
        (right,) = ReferenceEvaluator(made).run(None, {"x": x})
        (other,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
        assert abs(other - right).max() <= 1.01 * STEP
        net = cv2.dnn.readNetFromONNX(np.frombuffer(made.SerializeToString(), np.uint8))
        net.setInput(x)
        off = abs(net.forward() - right).max()
        print(cv2.__version__, f"{channels} channel(s), {size} x {size}: {abs(right).max():.2f}, off {off:.2f}")
        if off > 2 * STEP:
            wrong.append(f"{channels}:{size}")
assert wrong == sys.argv[1:], wrong
END
install() {
  venv/bin/python -m pip --quiet install "opencv-python-headless==$1" onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
}
install 4.14.0.94
venv/bin/python int8.py
install 5.0.0.93
venv/bin/python int8.py 1:1 4:1
