#!/usr/bin/env bash
# onnxruntime 1.32.0: quantize_static takes a ModelProto in place of a file's name, and empties it. The
# weights of the model that it was given are moved to a file in a temporary folder, which is gone
# when it returns: the model has only that file's name left. Whoever quantises twice, to compare two
# forms, or checks or runs the float model afterwards, gets an error about a missing file.
#
#                                  seen
#   before: the weight             in the model, 4096 bytes
#   after:  the weight             data_location EXTERNAL, 0 bytes
#   onnx.checker on it             ValidationError: tensor w should be stored in (a name).data
#   a copy of the model given      the model stays as it was
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
venv/bin/python -m pip --quiet install onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > twice.py <<'END'
import copy

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, quantize_static


class Some(CalibrationDataReader):
    def __init__(self):
        self.feeds = iter([{"x": np.ones((1, 32), np.float32)}])

    def get_next(self):
        return next(self.feeds, None)


def product():
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        "linear (float[N, 32] x) => (float[N, 32] y) { y = MatMul(x, w) }"
    )
    w = np.random.default_rng(0).standard_normal((32, 32)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    onnx.checker.check_model(model)
    return model


for what, given in (("the model itself", lambda model: model), ("a copy", copy.deepcopy)):
    model = product()
    quantize_static(given(model), "small.onnx", Some())
    (weight,) = model.graph.initializer
    outside = weight.data_location == onnx.TensorProto.EXTERNAL
    try:
        onnx.checker.check_model(model)
        said = "nothing"
    except onnx.checker.ValidationError as error:
        said = str(error)
    print(f"{what}: {len(weight.raw_data)} bytes, external {outside}, the checker says: {said}")
    emptied = what == "the model itself"
    assert outside == emptied
    assert (len(weight.raw_data) == 0) == emptied
    assert ("should be stored in" in said) == emptied
END
venv/bin/python twice.py 2> said.txt || { cat said.txt; exit 1; }
