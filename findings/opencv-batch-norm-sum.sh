#!/usr/bin/env bash
# OpenCV 4.14.0: two branches of Conv and BatchNormalization that are added (a residual block whose
# shortcut is a convolution) are right only while a net meets inputs of one size. Once the number of
# images, their height or width changes, the sum does not start from the first branch any longer,
# and may grow by the second from call to call for the same input; back at the first size it may
# stay wrong. Two bare Conv are added rightly, and so are these with enableFusion(False).
#
#   branches x and 10·x: y / x should be 11      seen, least to largest, for example
#   one net, 1 image, 1 again                    11, 11
#   then 2 images, the same 2 again              11 to 22, 21 to 32
#   the same without fusion                      11, 11, 11, 11
#   the same without batch norms                 11, 11, 11, 11
#   a new net for each size                      11, 11, 11, 11
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  opencv-python-headless==4.14.0.94 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > batches.py <<'END'
import cv2
import numpy as np
import onnx

BARE = """<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 1, H, W] x) => (float[N, 1, H, W] y)
<float[1, 1, 1, 1] v = {1}, float[1, 1, 1, 1] w = {10}>
{ a = Conv(x, v) b = Conv(x, w) y = Add(a, b) }"""
NORMED = """<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 1, H, W] x) => (float[N, 1, H, W] y)
<float[1, 1, 1, 1] v = {1}, float[1, 1, 1, 1] w = {10},
 float[1] scale = {1}, float[1] bias = {0}, float[1] mean = {0}, float[1] var = {1}>
{ a = Conv(x, v) c = BatchNormalization <epsilon = 1e-9> (a, scale, bias, mean, var)
  b = Conv(x, w) d = BatchNormalization <epsilon = 1e-9> (b, scale, bias, mean, var)
  y = Add(c, d) }"""


def read(text, fusion=True):
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.enableFusion(fusion)
    return net


def ratios(net, *sizes):
    """The least and largest y / x of one call after the other, each with so many images of ones."""
    seen = []
    for images in sizes:
        x = np.ones((images, 1, 28, 28), np.float32)
        net.setInput(x)
        y = net.forward()
        assert y.shape == x.shape
        seen.append((float(y.min()), float(y.max())))
    return seen


SIZES = 1, 1, 2, 2, 5, 5
RIGHT = [(11, 11)] * len(SIZES)
seen = {
    "one net": ratios(read(NORMED), *SIZES),
    "without fusion": ratios(read(NORMED, fusion=False), *SIZES),
    "without batch norms": ratios(read(BARE), *SIZES),
    "a net for each": [ratio for size in SIZES for ratio in ratios(read(NORMED), size)],
}
for name, values in seen.items():
    print(name, *values)
one = seen.pop("one net")
assert one[:2] == RIGHT[:2]
assert one[2:] != RIGHT[2:]
assert set(map(tuple, seen.values())) == {tuple(RIGHT)}
END
venv/bin/python batches.py
