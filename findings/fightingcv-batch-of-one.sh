#!/usr/bin/env bash
# fightingcv-attention 1.0.0: DoubleAttention (A2-Net) takes its two softmaxes over the images of the
# batch, and not over the positions and the descriptors. So what it makes of an image depends on the
# others given with it, in evaluation mode too; and of a single image all its attention is 1: the
# output is one number a channel at all positions, and two of its four convolutions have a gradient of
# zero. PyTorch warns of an "implicit dimension choice" for softmax, no more.
# PSA (pyramid squeeze attention) keeps its convolutions and SE blocks in plain lists: it has no
# parameters, a state dict saves nothing of it, and its forward pass writes over its input.
#
#   DoubleAttention(8, 4, 4).eval()                         seen                 expected
#   first image of four, and alone: largest difference      25                   0
#   alone: largest minus smallest of a channel's map        0                    some numbers
#   alone: gradient of convB and convV                      0                    not 0
#   PSA(16): parameters; share of x changed by psa(x)       0; all               16; none
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  fightingcv-attention==1.0.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > attention.py <<'END'
import torch
from fightingcv_attention.attention.A2Atttention import DoubleAttention
from fightingcv_attention.attention.PSA import PSA

torch.manual_seed(0)
block = DoubleAttention(8, 4, 4).eval()
images = torch.randn(4, 8, 5, 5)
among_four, alone = block(images)[:1], block(images[:1])
difference = (among_four - alone).abs().max().item()
spread = (alone.amax((2, 3)) - alone.amin((2, 3))).max().item()
alone.sum().backward()
gradients = {name: p.grad.abs().max().item() for name, p in block.named_parameters()}
print("difference", difference, "spread over the positions", spread)
print("gradients", gradients)
assert difference > 1
assert spread < 1e-4
dead = [name for name, largest in gradients.items() if largest == 0]
assert dead == ["convB.weight", "convB.bias", "convV.weight", "convV.bias"]

with torch.no_grad():
    psa = PSA(channel=16, reduction=2)
    given = torch.randn(2, 16, 4, 4)
    x = given.clone()
    psa(x)
    changed = (x != given).float().mean().item()
print("PSA's parameters", [*psa.parameters()], dict(psa.state_dict()), "x changed", changed)
assert not list(psa.parameters()) and not psa.state_dict()
assert changed == 1
END
venv/bin/python attention.py
