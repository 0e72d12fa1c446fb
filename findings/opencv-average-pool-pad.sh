#!/usr/bin/env bash
# OpenCV 4.14.0 ignores count_include_pad of ONNX's AveragePool: the padding is left out of the
# average with the option and without. Exporters of PyTorch's AvgPool2d write 1, its default. The
# corner of a padded map of ones is 1 there, and 4/9 in ONNX's reference and in OpenCV 5.0.0. With a
# Pad of zeros before an AveragePool without padding, the same model is right.
#
#   ones, 3 x 3, pads of 1           corner, edge, middle    4.14.0 seen         5.0.0 seen
#   count_include_pad = 1            0.444, 0.667, 1         1, 1, 1             as ONNX
#   count_include_pad = 0            1, 1, 1                 as ONNX             as ONNX
#   Pad, AveragePool                 0.444, 0.667, 1         as ONNX             as ONNX
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
cat > corner.py <<'END'
import sys

import cv2
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
pool (float[N, 1, H, W] x) => (float[N, 1, P, Q] y)
<int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}> """
OPTIONS = "kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad ="
FORMS = {
    "count_include_pad = 1": f"{{ y = AveragePool <{OPTIONS} 1> (x) }}",
    "count_include_pad = 0": f"{{ y = AveragePool <{OPTIONS} 0> (x) }}",
    "Pad, AveragePool": "{ z = Pad(x, pads) y = AveragePool <kernel_shape = [3, 3]> (z) }",
}
x = np.ones((1, 1, 3, 3), np.float32)
as_onnx = {}
for name, form in FORMS.items():
    model = onnx.parser.parse_model(MODEL + form)
    onnx.checker.check_model(model, full_check=True)
    (right,) = ReferenceEvaluator(model).run(None, {"x": x})
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.setInput(x)
    y = net.forward()
    print(cv2.__version__, name, right[0, 0, 0].round(3), y[0, 0, 0].round(3))
    corner = 1 if name.endswith("0") else 4 / 9
    assert abs(right[0, 0, 0, 0] - corner) < 1e-6
    as_onnx[name] = np.allclose(y, right, atol=1e-6)
    assert as_onnx[name] or (y == 1).all()
wrong = [name for name, same in as_onnx.items() if not same]
assert wrong == sys.argv[1:], wrong
END
install() {
  venv/bin/python -m pip --quiet install "opencv-python-headless==$1" onnx==1.23.2 numpy==2.4.6
}
install 4.14.0.94
venv/bin/python corner.py "count_include_pad = 1"
install 5.0.0.93
venv/bin/python corner.py
