#!/usr/bin/env bash
# MNN 3.6.1: the commands mnnconvert and mnnquant run "pip install -U aliyun-log-python-sdk" when
# they start, twice each, without asking; the package serves to report their use (operating system
# and machine's id among it). The pip is whichever stands first on PATH: unless MNN's environment is
# activated, it changes another one, and upgrades what that has. As the import fails after it in
# MNN's own, the next call installs again. The package is not among MNN's requirements, and without
# it mnnconvert converts. "import MNN" does not do it.
#
#   seen, by a pip of our own on PATH
#   mnnconvert, called by its path     install -U aliyun-log-python-sdk, twice
#   mnnconvert, called again           the same
#   mnnquant, without arguments        the same, and then its usage
#   python -c "import MNN"             nothing
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install MNN==3.6.1 onnx==1.23.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'END'
import onnx

model = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["" : 17]>
    net (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] y) { y = Relu(x) }"""
)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "net.onnx")
END
mkdir path
printf '#!/bin/sh\necho "$@" >> "%s"\nexit 1\n' "$folder/calls" > path/pip
chmod +x path/pip
export PATH="$folder/path:$PATH"
expect() { # how many calls of pip so far
  [ "$(sort calls | uniq -c | xargs)" = "$1" ] || { echo "changed: expected $1" >&2; exit 1; }
}
touch calls
venv/bin/python -c "import MNN" > /dev/null
expect ""
convert() {
  venv/bin/mnnconvert -f ONNX --bizCode finding --modelFile net.onnx --MNNModel net.mnn > log 2>&1
  grep "Converted Success!" log
  cat calls
}
convert
expect "2 install -U aliyun-log-python-sdk"
convert
expect "4 install -U aliyun-log-python-sdk"
venv/bin/mnnquant > log 2>&1 || grep "usage: mnnquant" log
expect "6 install -U aliyun-log-python-sdk"
