#!/usr/bin/env bash
# super-gradients 3.7.1: SEBlock (RepVGG's, with use_se=True) averages windows as wide and as high
# as the map is wide: the whole map only if it is square. Of a map higher than wide the rows below
# the first window are not seen, and from twice as high on a batch of one image becomes one of two,
# without a word. Maps wider than high are refused, and several images of twice the height.
#
#   images, height, width        output      seen against the mean over the whole map
#   1       4       4         1, 32, 4, 4    equal
#   1       7       4         1, 32, 7, 4    as if rows 5 to 7 were not there
#   1       8       4         2, 32, 8, 4    two images: gates by rows 1 to 4 and 5 to 8, mixed
#   2       8       4         RuntimeError   size of tensor a (2) must match … b (4)
#   1       4       7         RuntimeError   Output size is too small
#
# The block's file is loaded alone, without the package's 37 requirements.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -m pip --quiet install --no-deps super-gradients==3.7.1
cd "$folder"
cat > tall.py <<'END'
import runpy
import sysconfig

import torch

file = sysconfig.get_path("purelib") + "/super_gradients/modules/se_blocks.py"
torch.manual_seed(0)
torch.set_grad_enabled(False)
block = runpy.run_path(file)["SEBlock"](32, 16).eval()


def gates(x):
    hidden = block.down(x.mean((2, 3), keepdim=True)).relu()
    return block.up(hidden).sigmoid()


def seen(images, height, width):
    x = torch.randn(images, 32, height, width)
    try:
        y = block(x)
    except RuntimeError as error:
        print(images, height, width, "RuntimeError:", error)
        return "RuntimeError"
    errors = [(y - x * gates(rows)).abs().max().item() for rows in (x, x[:, :, :width])]
    print(images, height, width, tuple(y.shape), *(f"{error:.0e}" for error in errors))
    return tuple(y.shape), *(error < 1e-6 for error in errors)


assert seen(1, 4, 4) == ((1, 32, 4, 4), True, True)
assert seen(2, 4, 4) == ((2, 32, 4, 4), True, True)
assert seen(1, 7, 4) == ((1, 32, 7, 4), False, True)
assert seen(2, 7, 4) == ((2, 32, 7, 4), False, True)
assert seen(1, 8, 4) == ((2, 32, 8, 4), False, False)
assert seen(2, 8, 4) == "RuntimeError"
assert seen(1, 4, 7) == "RuntimeError"
END
venv/bin/python tall.py
