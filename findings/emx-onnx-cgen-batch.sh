#!/usr/bin/env bash
# emx-onnx-cgen 1.4.0 turns a model with a named batch, "N", into C whose function takes N; and in
# it GlobalMaxPool and the Reduce operators compute the first image only, LpPool and ConvTranspose
# none ("n < -1"). The rest of the output is left as it was: the command ends with OK and the C
# compiles. GlobalAveragePool, MaxPool, Conv and others loop over N, and with --input-dim N=3 all
# are right. The tool's own command verify does see it ("Out of tolerance").
#
#   3 images, outputs filled with -1                  seen: images computed
#   GlobalMaxPool, ReduceMax, ReduceMean              1, the others stay -1
#   LpPool, ConvTranspose                             none, all stay -1
#   GlobalAveragePool, MaxPool, Conv                  3
#   all of them with --input-dim N=3                  3
#
# A C compiler named cc is needed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  emx-onnx-cgen==1.4.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > batch.py <<'END'
import ctypes
import subprocess

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

THREE = "kernel_shape = [3, 3]"
CALLS = {
    "GlobalMaxPool": "GlobalMaxPool(x)",
    "ReduceMax": "ReduceMax <axes = [2, 3]> (x)",
    "ReduceMean": "ReduceMean <axes = [2, 3]> (x)",
    "LpPool": f"LpPool <{THREE}> (x)",
    "ConvTranspose": "ConvTranspose <pads = [2, 2, 2, 2]> (x, w)",
    "GlobalAveragePool": "GlobalAveragePool(x)",
    "MaxPool": f"MaxPool <{THREE}> (x)",
    "Conv": "Conv(x, w)",
}
OUTPUTS = ", ".join(f"float[N, 2, 1, 1] {name}_y" for name in CALLS)
NODES = " ".join(f"{name}_y = {call}" for name, call in CALLS.items())
WEIGHTS = ", ".join("123456789" * 4)
model = onnx.parser.parse_model(
    f"""<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 2, 3, 3] x) => ({OUTPUTS}) <float[2, 2, 3, 3] w = {{{WEIGHTS}}}> {{ {NODES} }}"""
)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "net.onnx")
x = np.random.default_rng(0).random((3, 2, 3, 3), np.float32)
right = ReferenceEvaluator(model).run(None, {"x": x})


def computed(name, *options):
    """How many images, from the first, the compiled C computes rightly; all others are -1."""
    emx = ["venv/bin/emx-onnx-cgen", "compile", "net.onnx", f"{name}.c", *options]
    subprocess.run(emx, check=True)
    cc = ["cc", "-O1", "-shared", "-fPIC", f"{name}.c", "-o", f"{name}.so", "-lm"]
    subprocess.run(cc, check=True)
    ys = [np.full((3, 2, 1, 1), -1, np.float32) for _ in CALLS]
    pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for a in (x, *ys)]
    ctypes.CDLL(f"./{name}.so").model(*([] if options else [3]), *pointers)
    counts = {}
    for call, y, of_onnx in zip(CALLS, ys, right, strict=True):
        same = np.isclose(y, of_onnx, rtol=1e-5).all((1, 2, 3))
        n = int(same.sum())
        assert same[:n].all() and (y[n:] == -1).all()
        counts[call] = n
    print(name, counts)
    return counts


assert computed("dynamic") == {
    "GlobalMaxPool": 1,
    "ReduceMax": 1,
    "ReduceMean": 1,
    "LpPool": 0,
    "ConvTranspose": 0,
    "GlobalAveragePool": 3,
    "MaxPool": 3,
    "Conv": 3,
}
assert computed("fixed", "--input-dim", "N=3") == dict.fromkeys(CALLS, 3)
END
venv/bin/python batch.py
