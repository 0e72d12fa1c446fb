#!/usr/bin/env bash
# PyTorch 2.13.0: the backward of hardsigmoid multiplies by a sixth of float32 even where all is
# float64, and that of celu by such a 1/alpha. Their values are right to 1e-16, and so is the
# gradient of the same functions written out, of hardswish and of elu. torch.autograd.gradcheck
# passes both, as its tolerance is 1e-3; whoever compares gradients in float64 to 1e-9 does not. The
# error of celu grows with -x/alpha.
#
#   float64, error relative to the gradient    seen         gradcheck   with rtol=1e-8, atol=0
#   hardsigmoid(x)                             3.0e-8       passed      rejected
#   relu6(x + 3) / 6                           0            passed      passed
#   hardswish(x)                               0            passed      passed
#   celu(x, alpha=0.1), x from -0.3            3.0e-8       passed      rejected
#   elu(x, alpha=0.1), x from -0.3             0            passed      passed
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > double.py <<'END'
import math

import torch
from torch.nn import functional as F

CODE = {
    "hardsigmoid": (F.hardsigmoid, lambda x: 1 / 6),
    "relu6(x + 3) / 6": (lambda x: F.relu6(x + 3) / 6, lambda x: 1 / 6),
    "hardswish": (F.hardswish, lambda x: x / 3 + 0.5),
    "celu": (lambda x: F.celu(x, alpha=0.1), lambda x: math.exp(x / 0.1)),
    "elu": (lambda x: F.elu(x, alpha=0.1), lambda x: 0.1 * math.exp(x)),
}


def verdict(function, x, **options):
    passed = torch.autograd.gradcheck(function, (x,), raise_exception=False, **options)
    return "passed" if passed else "rejected"


seen = {}
for name, (function, slope) in CODE.items():
    x = torch.linspace(-0.3, -0.1, 5, dtype=torch.float64, requires_grad=True)
    (dx,) = torch.autograd.grad(function(x).sum(), x)
    right = torch.tensor([slope(v) for v in x.tolist()], dtype=torch.float64)
    error = ((dx - right) / right).abs().max().item()
    verdicts = verdict(function, x), verdict(function, x, rtol=1e-8, atol=0)
    print(f"{name:17} {dx.dtype} {error:8.1e} {verdicts[0]:9} {verdicts[1]}")
    seen[name] = (1e-8 < error < 1e-6, error < 1e-14, *verdicts)
of_float32 = (True, False, "passed", "rejected")
of_float64 = (False, True, "passed", "passed")
assert seen == {
    "hardsigmoid": of_float32,
    "relu6(x + 3) / 6": of_float64,
    "hardswish": of_float64,
    "celu": of_float32,
    "elu": of_float64,
}
END
venv/bin/python double.py
