#!/usr/bin/env bash
# onnx 1.23.2: the reference evaluator reads the pads of a MaxPool with strides of 1 in another
# order than the specification (top, left, bottom, right): of two dimensions, left is taken for
# bottom, so that a pool padded unequally has another shape and other numbers, without a word. The
# shape inference of the same package, and the evaluator's AveragePool or a stride of 2, are right.
# So a judge of exported models is wrong where a runtime is right.
#
#   x of 3 x 4, kernel 2 x 2, stride 1               inferred     evaluated, seen
#   MaxPool, pads 0 1 0 1 (left and right)           2 x 5        3 x 4, as with pads 0 0 1 1
#   MaxPool, pads 0 0 1 1 (bottom and right)         3 x 4        2 x 5, as with pads 0 1 0 1
#   MaxPool, pads 1 1 1 1                            4 x 5        4 x 5
#   AveragePool, pads 0 1 0 1                        2 x 5        2 x 5
#   MaxPool, stride 2, pads 0 1 0 1                  1 x 3        1 x 3
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > pool.py <<'END'
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

x = np.arange(1, 13, dtype=np.float32).reshape(1, 1, 3, 4)


def by_hand(pads, stride):
    top, left, bottom, right = pads
    padded = np.pad(x[0, 0], ((top, bottom), (left, right)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2))
    return windows[::stride, ::stride].max((2, 3))


def evaluated(kind, pads, stride=1):
    options = f"kernel_shape = [2, 2], pads = {list(pads)}, strides = [{stride}, {stride}]"
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        pool (float[1, 1, 3, 4] x) => (float[1, 1, P, Q] y) {{ y = {kind} <{options}> (x) }}"""
    )
    onnx.checker.check_model(model, full_check=True)
    output = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output[0]
    shape = tuple(d.dim_value for d in output.type.tensor_type.shape.dim)[2:]
    (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    print(kind, pads, "stride", stride, "inferred", shape, "evaluated", y.shape[2:])
    return shape, y[0, 0]


SIDES, CORNER = (0, 1, 0, 1), (0, 0, 1, 1)
for pads, taken_for in ((SIDES, CORNER), (CORNER, SIDES)):
    shape, y = evaluated("MaxPool", pads)
    assert shape == by_hand(pads, 1).shape
    np.testing.assert_array_equal(y, by_hand(taken_for, 1))
for pads, stride in (((1, 1, 1, 1), 1), (SIDES, 2), (CORNER, 2)):
    shape, y = evaluated("MaxPool", pads, stride)
    assert shape == y.shape
    np.testing.assert_array_equal(y, by_hand(pads, stride))
for pads in (SIDES, CORNER):
    shape, y = evaluated("AveragePool", pads)
    assert shape == y.shape
END
venv/bin/python pool.py
