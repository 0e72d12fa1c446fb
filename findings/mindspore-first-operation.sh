#!/usr/bin/env bash
# MindSpore 2.10.0 asks for "numpy>=1.25.0", and pip gives it NumPy 2. There the first sum or product
# of a process on a CPU raises SystemError (a module compiled for NumPy 1 is loaded then, and its
# ImportError left set); the same again, and all after it, are right, and so are layers and other
# functions before it. In a script that tries a model and goes on, one result is missing and no
# other, as in an SE block: its x * gates fails, its convolutions do not. With NumPy 1.26.4 all are
# right.
#
#   three times in a process    NumPy 2.4.6               NumPy 1.26.4
#   x * x                       SystemError, 4.0, 4.0     4.0, 4.0, 4.0
#   x + 1                       SystemError, 3.0, 3.0     3.0, 3.0, 3.0
#   ops.relu(x)                 2.0, 2.0, 2.0             2.0, 2.0, 2.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet install mindspore==2.10.0 numpy==2.4.6
cd "$folder"
cat > first.py <<'END'
import sys

import mindspore

x = mindspore.Tensor(2.0)
functions = {"x*x": lambda: x * x, "x+1": lambda: x + 1, "relu": lambda: mindspore.ops.relu(x)}
seen = []
for _ in range(3):
    try:
        seen.append(str(float(functions[sys.argv[1]]())))
    except SystemError as error:
        seen.append(type(error).__name__)
print(*seen)
END
expect() { # NumPy's version, the function, what is printed
    seen=$("$python" first.py "$2" 2>/dev/null | tail -1)
    echo "NumPy $1, $2: $seen"
    [ "$seen" = "$3" ] || { echo "changed: expected $3" >&2; exit 1; }
}
expect 2.4.6 "x*x" "SystemError 4.0 4.0"
expect 2.4.6 "x+1" "SystemError 3.0 3.0"
expect 2.4.6 relu "2.0 2.0 2.0"
"$python" -m pip --quiet install numpy==1.26.4
expect 1.26.4 "x*x" "4.0 4.0 4.0"
expect 1.26.4 "x+1" "3.0 3.0 3.0"
expect 1.26.4 relu "2.0 2.0 2.0"
