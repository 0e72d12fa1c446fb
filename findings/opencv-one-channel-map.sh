#!/usr/bin/env bash
# OpenCV 5.0.0: the product of a convolution's output, of any number of channels but one, and a map
# of one channel that comes from a convolution too (spatial attention: sSE, CBAM) is returned in the
# engine's own layout, (N, blocks, H, W, channels of a block), and all channels but the first of
# each block are 0. ONNX broadcasts. ReLU behind it keeps the layout; Conv or a pool behind it, and
# Add in place of Mul, raise. OpenCV 4.14.0 is right, and so is 5.0.0 with the map repeated.
#
#   images of ones (1, 1, 2, 2), weights 1 2 3 and a map of 2       shape                channels
#   OpenCV 4.14.0                                                   (1, 3, 2, 2)         2 4 6
#   OpenCV 5.0.0                                                    (1, 1, 2, 2, 8)      2 0 0 0 …
#   OpenCV 5.0.0, the map repeated three times                      (1, 3, 2, 2)         2 4 6
#   OpenCV 5.0.0, Add                                               cv2.error
#   OpenCV 5.0.0, a Conv of 1 x 1 behind it                         cv2.error
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > attention.py <<'END'
import sys

import cv2
import numpy as np
import onnx

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
attention (float[N, 1, H, W] x) => (float[N, K, H, W] y)
<float[3, 1, 1, 1] v = {1, 2, 3}, float[1, 1, 1, 1] w = {2}, float[3, 1, 1, 1] www = {2, 2, 2},
 float[1, 3, 1, 1] u = {1, 1, 1}>
{ a = Conv(x, v) """
ENDS = {
    "Mul": "m = Conv(x, w) y = Mul(a, m) }",
    "Mul, Relu": "m = Conv(x, w) p = Mul(a, m) y = Relu(p) }",
    "Mul, repeated": "m = Conv(x, www) y = Mul(a, m) }",
    "Add": "m = Conv(x, w) y = Add(a, m) }",
    "Mul, Conv": "m = Conv(x, w) p = Mul(a, m) y = Conv(p, u) }",
}
seen = {}
for name, end in ENDS.items():
    model = onnx.parser.parse_model(MODEL + end)
    onnx.checker.check_model(model, full_check=True)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.setInput(np.ones((1, 1, 2, 2), np.float32))
    try:
        y = net.forward()
    except cv2.error as error:
        seen[name] = "cv2.error"
        print(cv2.__version__, name, error.err)
        continue
    channels = np.moveaxis(y, -1, 1) if y.ndim == 5 else y
    assert np.ptp(channels, axis=(-2, -1)).max() == 0  # equal at all positions
    seen[name] = y.ndim, *channels[0].reshape(-1, 4)[:, 0].round(4).tolist()
    print(cv2.__version__, name, y.shape, *seen[name][1:])

right = (4, 2, 4, 6)
if sys.argv[1] == "right":
    expected = dict.fromkeys(ENDS, right) | {"Add": (4, 3, 4, 5), "Mul, Conv": (4, 12)}
else:
    block = len(seen["Mul"]) - 1
    assert block >= 3
    blocked = (5, 2, *[0] * (block - 1))
    expected = {"Mul": blocked, "Mul, Relu": blocked, "Mul, repeated": right}
    expected |= {"Add": "cv2.error", "Mul, Conv": "cv2.error"}
assert seen == expected, seen
END
install() {
  venv/bin/python -m pip --quiet install "opencv-python-headless==$1" onnx==1.23.2 numpy==2.4.6
}
install 4.14.0.94
venv/bin/python attention.py right
install 5.0.0.93
venv/bin/python attention.py blocked
