#!/usr/bin/env bash
# tinygrad 0.14.0: relu6(x) is relu(x) - relu(x - 6), which rounding eats for large x, and hardswish
# is built on it: in bfloat16 hardswish(300) is 400 and hardswish(1200) is 0. float32 begins at some
# 2e7. And their derivative at the upper kink is not PyTorch's 0 and 1 but 1 and 1.5, more than on
# either side. Mended in the source after this release (pull requests 18028, 18029).
#
#   seen            300     700     1200     3008          derivative at 6    at 3
#   relu6           6       4       8        0             1
#   hardswish       400     936     0        0                                1.5
#
# Run by tinygrad's interpreter (DEV=PYTHON), which needs no compiler; clang's code gave the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install tinygrad==0.14.0 numpy==2.4.6
cd "$folder"
cat > large.py <<'END'
from tinygrad import Tensor, dtypes


def values(function, numbers, dtype):
    y = function(Tensor(numbers, dtype=dtype)).float().tolist()
    print(function.__name__, dtype, y)
    return y


def slope(function, at):
    x = Tensor([at])
    (dx,) = function(x).sum().gradient(x)
    print(function.__name__, "derivative at", at, dx.item())
    return dx.item()


LARGE = [300.0, 700.0, 1200.0, 3008.0]  # each a number of bfloat16
assert values(Tensor.relu6, LARGE, dtypes.float32) == [6, 6, 6, 6]
assert values(Tensor.relu6, LARGE, dtypes.bfloat16) == [6, 4, 8, 0]
assert values(Tensor.hardswish, LARGE, dtypes.bfloat16) == [400, 936, 0, 0]
assert values(Tensor.relu6, [1e8], dtypes.float32) == [8]
assert values(Tensor.hardswish, [1e8], dtypes.float32) == [0]
assert [slope(Tensor.relu6, at) for at in (5.5, 6.0, 6.5)] == [1, 1, 0]
assert [round(slope(Tensor.hardswish, at), 3) for at in (2.75, 3.0, 3.25)] == [1.417, 1.5, 1]
END
DEV=PYTHON venv/bin/python large.py
