#!/usr/bin/env bash
# onnxoptimizer 0.4.2 fuses a BatchNormalization into the Conv before it without computing the new
# weights: it writes the computation into the graph, so that "optimised" is larger (2 nodes become
# 11), and each runtime computes the weights itself. OpenCV 4.14.0 does so wrongly: its sum of a
# vector and a scalar is a column, which makes weights of five dimensions from Unsqueeze on; of a
# convolution of 1 x 1 the output is then a row too short and its numbers are wrong, without a word.
# OpenCV 5.0.0 and ONNX's reference are right, and so is 4.14.0 with the model as it was.
#
#   Conv 1 x 1 and BatchNormalization, x of ones, 3 x 3      nodes    y      its two channels
#   as it was, 4.14.0 and 5.0.0                              2        3 x 3  2.244 4.707
#   optimised, 5.0.0                                         11       3 x 3  2.244 4.707
#   optimised, 4.14.0                                        11       2 x 3  2.244 1.879
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > fused.py <<'END'
import sys

import cv2
import numpy as np
import onnx
import onnxoptimizer
from onnx.reference import ReferenceEvaluator

model = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2, H, W] x) => (float[N, 2, H, W] y)
    <float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] scale = {1, 2}, float[2] bias = {3, 4},
     float[2] mean = {5, 6}, float[2] var = {7, 8}>
    { a = Conv(x, w) y = BatchNormalization(a, scale, bias, mean, var) }"""
)
x = np.ones((1, 2, 3, 3), np.float32)
seen = []
for net in (model, onnxoptimizer.optimize(model)):
    onnx.checker.check_model(net, full_check=True)
    (right,) = ReferenceEvaluator(net).run(None, {"x": x})
    np.testing.assert_allclose(right[0, :, 0, 0], [2.244, 4.707], atol=1e-3)
    opencv = cv2.dnn.readNetFromONNX(np.frombuffer(net.SerializeToString(), np.uint8))
    opencv.setInput(x)
    y = opencv.forward()
    assert np.ptp(y, axis=(2, 3)).max() == 0  # equal at all positions
    first, second = (round(float(value), 3) for value in y[0, :, 0, 0])
    seen.append((len(net.graph.node), y.shape[2:], first, second))
    print(cv2.__version__, *seen[-1], "bytes:", net.ByteSize())
rows, last = int(sys.argv[1]), float(sys.argv[2])
assert seen == [(2, (3, 3), 2.244, 4.707), (11, (rows, 3), 2.244, last)]
END
install() {
  venv/bin/python -m pip --quiet install \
    "opencv-python-headless==$1" onnxoptimizer==0.4.2 onnx==1.23.2 numpy==2.4.6
}
install 4.14.0.94
venv/bin/python fused.py 2 1.879
install 5.0.0.93
venv/bin/python fused.py 3 4.707
