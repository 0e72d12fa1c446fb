#!/usr/bin/env bash
# OpenCV 4.14.0 and 5.0.0 take a · HardSigmoid(b) of an ONNX file for HardSwish(b), without looking
# whether a is b: the gates of an SE block with a hard sigmoid (MobileNetV3's), as PyTorch exports
# them, are lost without a word, with the map that they gate and its size. Only alpha = 1/6 and
# beta = 1/2 are met by it; written as Clip(b + 3, 0, 6) / 6 the same net is right.
#
#   x of ones, (1, 2, 2, 2)                                    right           seen
#   x · HardSigmoid(2 · mean), alpha 1/6                       0.833 (2, 2)    1.667 (1, 1)
#   x · HardSigmoid(2 · mean), alpha 0.2                       0.9 (2, 2)      0.9 (2, 2)
#   x · Clip(2 · mean + 3, 0, 6) / 6                           0.833 (2, 2)    0.833 (2, 2)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > gate.py <<'END'
import cv2
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

GATES = {
    "HardSigmoid, alpha 1/6": "s = HardSigmoid <alpha = 0.16666667, beta = 0.5> (z)",
    "HardSigmoid, alpha 0.2": "s = HardSigmoid <alpha = 0.2, beta = 0.5> (z)",
    "Clip(z + 3, 0, 6) / 6": "t = Add(z, three) u = Clip(t, zero, six) s = Div(u, six)",
}
MODEL = """<ir_version: 8, opset_import: ["" : 17]>
block (float[N, 2, H, W] x) => (float[N, 2, H, W] y)
<float[2, 2, 1, 1] w = {2, 0, 0, 2}, float zero = {0}, float three = {3}, float six = {6}>
{ mean = GlobalAveragePool(x) z = Conv(mean, w) GATE y = Mul(x, s) }"""

x = np.ones((1, 2, 2, 2), np.float32)
seen = {}
for name, gate in GATES.items():
    model = onnx.parser.parse_model(MODEL.replace("GATE", gate))
    onnx.checker.check_model(model, full_check=True)
    (right,) = ReferenceEvaluator(model).run(None, {"x": x})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.setInput(x)
    y = net.forward()
    assert right.shape == x.shape and np.ptp(right) == np.ptp(y) == 0
    seen[name] = round(float(right.mean()), 3), y.shape[2:], round(float(y.mean()), 3)
    print(cv2.__version__, name, *seen[name])
assert seen == {
    "HardSigmoid, alpha 1/6": (0.833, (1, 1), 1.667),
    "HardSigmoid, alpha 0.2": (0.9, (2, 2), 0.9),
    "Clip(z + 3, 0, 6) / 6": (0.833, (2, 2), 0.833),
}
END
for version in 4.14.0.94 5.0.0.93; do
  venv/bin/python -m pip --quiet install \
    opencv-python-headless==$version onnx==1.23.2 numpy==2.4.6
  venv/bin/python gate.py
done
