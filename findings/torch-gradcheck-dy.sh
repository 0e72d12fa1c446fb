#!/usr/bin/env bash
# PyTorch 2.13.0: torch.autograd.gradcheck gives a backward no negative grad_output, and in its usual
# mode none but zeros and a single 1. So it passes backwards that are wrong in every training: one
# that squares grad_output, that clips it to [-1, 1], or that drops it where it is negative; the last
# with fast_mode=True as well. None of them is linear in grad_output, as every right one is.
#
#   y = tanh(x), backward times     gradcheck   with fast_mode=True
#   grad_output                     passed      passed
#   grad_output ** 2                passed      rejected
#   grad_output.clamp(-1, 1)        passed      passed
#   grad_output.clamp(min=0)        passed      passed
#   2 * grad_output                 rejected    rejected
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > cotangents.py <<'END'
import torch

CHANGES = {
    "grad_output": lambda dy: dy,
    "grad_output ** 2": lambda dy: dy**2,
    "grad_output.clamp(-1, 1)": lambda dy: dy.clamp(-1, 1),
    "grad_output.clamp(min=0)": lambda dy: dy.clamp(min=0),
    "2 * grad_output": lambda dy: 2 * dy,
}


def tanh(change):
    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.tanh()

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return change(grad_output) * (1 - x.tanh() ** 2)

    return Tanh.apply


def verdict(function, **options):
    x = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(3, 4).requires_grad_()
    passed = torch.autograd.gradcheck(function, (x,), raise_exception=False, **options)
    return "passed" if passed else "rejected"


torch.manual_seed(0)
seen = {
    name: [verdict(tanh(change)), verdict(tanh(change), fast_mode=True)]
    for name, change in CHANGES.items()
}
for name, verdicts in seen.items():
    print(f"{name:31} {verdicts[0]:11} {verdicts[1]}")
assert seen == {
    "grad_output": ["passed", "passed"],
    "grad_output ** 2": ["passed", "rejected"],
    "grad_output.clamp(-1, 1)": ["passed", "passed"],
    "grad_output.clamp(min=0)": ["passed", "passed"],
    "2 * grad_output": ["rejected", "rejected"],
}
END
venv/bin/python cotangents.py
