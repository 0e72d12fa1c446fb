#!/usr/bin/env bash
# glasses 0.0.6: SpatialChannelSE multiplies its input by the outputs of its two blocks, and not by
# their gates: x·(x·s1 + x·s2), quadratic in x, so that the sign is lost and values grow or die out
# from block to block. And both blocks gate channels: ChannelSE, described as one that squeezes
# channels and excites positions, computes what SpatialSE does, with biases.
#
#   seen, input of normal numbers                       scSE of the paper
#   all weights zero (gates ½)     x²                   x
#   mean of |y| for x, 10·x        1.05, 104            at most 2·|x|: 1.6, 16
#   smallest y for 1600 values     3.0e-7               negative
#   gate of ChannelSE              one a channel        one a position
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -m pip --quiet install --no-deps glasses==0.0.6
cd "$folder"
cat > squared.py <<'END'
import torch
from glasses.nn.att import ChannelSE, SpatialChannelSE

torch.manual_seed(0)
torch.set_grad_enabled(False)
x = torch.randn(1, 64, 5, 5)

block = SpatialChannelSE(64).eval()
y = block(x)
sizes = [block(scale * x).abs().mean().item() for scale in (1, 10)]
gate = ChannelSE(64).eval()(x) / x
print("mean of |y|, smallest y:", *(f"{value:.3g}" for value in (*sizes, y.min().item())))
print("a channel's gate differs by", f"{(gate.amax((2, 3)) - gate.amin((2, 3))).max():.0e}")
assert 99 < sizes[1] / sizes[0] < 105
assert y.min() >= 0 > x.min()
assert (gate - gate[:, :, :1, :1]).abs().max() < 1e-5  # equal at all positions of a channel
assert gate[0, :, 0, 0].std() > 0.01  # and another for another channel

for parameter in block.parameters():
    parameter.zero_()
print("with weights of zero:", f"{(block(x) - x**2).abs().max():.0e}", "from x²")
torch.testing.assert_close(block(x), x**2)
END
venv/bin/python squared.py
