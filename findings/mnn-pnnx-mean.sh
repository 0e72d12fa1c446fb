#!/usr/bin/env bash
# ONNX's Mean of two tensors (of a mean and a maximum, as some attention blocks squeeze) passes two
# converters that do not know it, without an error. MNN 3.6.1 says "Converted Success!", and running
# the file returns an empty list, no exception. pnnx 20261020 prints "todo Mean", exits with 0, and
# writes a layer Mean, which ncnn 1.0.20261020 does not have: load_param gives -1. Written as Add
# and Mul by 1/2 the same model is right in both.
#
#   x of 0 to 15                             right      MNN, seen      pnnx and ncnn, seen
#   Mean(GlobalAveragePool, GlobalMaxPool)   11.25      []             load_param: -1
#   (GlobalAveragePool + GlobalMaxPool) / 2  11.25      11.25          11.25
#
# MNN's converter is called without its command, which runs pip (mnn-convert-pip.sh). pnnx is
# installed without PyTorch, which only its Python functions need.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  MNN==3.6.1 ncnn==1.0.20261020 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" -m pip --quiet install --no-deps pnnx==20261020
cd "$folder"
cat > models.py <<'END'
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

NET = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 1, 4, 4] x) => (float[1, 1, 1, 1] y) <float half = {0.5}>
{ a = GlobalAveragePool(x) b = GlobalMaxPool(x) END }"""
x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
for name, end in (("mean", "y = Mean(a, b)"), ("half", "c = Add(a, b) y = Mul(c, half)")):
    model = onnx.parser.parse_model(NET.replace("END", end))
    onnx.checker.check_model(model, full_check=True)
    (right,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert right.tolist() == [[[[11.25]]]]
    onnx.save(model, f"{name}.onnx")
END
venv/bin/python models.py

cat > with_mnn.py <<'END'
import sys

import _tools
import MNN.expr
import MNN.nn
import numpy as np

name = sys.argv[1]
files = ["--modelFile", f"{name}.onnx", "--MNNModel", f"{name}.mnn"]
_tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--bizCode", "finding", *files])
net = MNN.nn.load_module_from_file(f"{name}.mnn", ["x"], ["y"])
x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
values = net.forward([MNN.expr.const(x, x.shape, MNN.expr.NCHW)])
print("MNN,", name + ":", [float(np.asarray(value.read()).item()) for value in values])
END
cat > with_ncnn.py <<'END'
import sys

import ncnn
import numpy as np

name = sys.argv[1]
net = ncnn.Net()
seen = f"load_param: {net.load_param(f'{name}.ncnn.param')}"
if seen == "load_param: 0":
    net.load_model(f"{name}.ncnn.bin")
    extractor = net.create_extractor()
    extractor.input("in0", ncnn.Mat(np.arange(16, dtype=np.float32).reshape(1, 4, 4)))
    seen = float(np.array(extractor.extract("out0")[1]).item())
print("ncnn,", name + ":", seen)
END
expect() { # the runtime, the model, what is printed last
  venv/bin/python "with_$1.py" "$2" > log 2>&1
  tail -1 log
  [ "$(tail -1 log)" = "$3" ] || { echo "changed: expected $3" >&2; exit 1; }
}
expect mnn mean "MNN, mean: []"
grep -q "Converted Success!" log
expect mnn half "MNN, half: [11.25]"
pnnx=$(echo venv/lib/python3*/site-packages/pnnx/pnnx) # the program; the command imports torch
for name in mean half; do
  "$pnnx" $name.onnx "inputshape=[1,1,4,4]" > $name.log 2>&1
done
grep "todo Mean" mean.log
expect ncnn mean "ncnn, mean: load_param: -1"
expect ncnn half "ncnn, half: 11.25"
