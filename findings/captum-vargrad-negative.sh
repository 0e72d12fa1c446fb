#!/usr/bin/env bash
# captum 0.9.0: NoiseTunnel's vargrad, the variance of an attribution under noise, is computed as mean
# of the squares less square of the mean, in the type of the input. In float32 nothing is left of it
# once the attribution is some thousand times its standard deviation, as with pixels of 0 to 255 and a
# tenth of noise: it is off by factors and negative, and nt_samples_batch_size, described as a limit of
# memory, changes it, as the sums are rounded elsewhere. In float64 it is right.
#
#   input x gradient of a linear score, 12 pixels from 20 to 255, stdevs=0.1, 1000 samples;
#   variance seen / variance (weight · 0.1)²                             smallest   largest
#   float32, nt_samples_batch_size=None                                   0.39       2.25
#   float32, nt_samples_batch_size=10                                    -3.12       1.54
#   float32, nt_samples_batch_size=1                                     -2.94       6.30
#   float64, any                                                          0.9        1.1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install captum==0.9.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > vargrad.py <<'END'
import torch
from captum.attr import InputXGradient, NoiseTunnel

STDEV = 0.1
weights = torch.linspace(0.5, 2, 12)
image = torch.linspace(20, 255, 12)[None]


def seen(dtype, size):
    torch.manual_seed(0)
    tunnel = NoiseTunnel(InputXGradient(lambda images: (images * weights.to(dtype)).sum(1)))
    variances = tunnel.attribute(
        image.to(dtype),
        nt_type="vargrad",
        nt_samples=1000,
        nt_samples_batch_size=size,
        stdevs=STDEV,
    )
    ratios = variances / (weights * STDEV) ** 2
    print(dtype, size, f"{ratios.min():.2f} {ratios.max():.2f}")
    return ratios.min().item(), ratios.max().item()


for size in (None, 10, 1):
    smallest, largest = seen(torch.float64, size)
    assert 0.8 < smallest < largest < 1.2  # what 1000 samples can tell
smallest, largest = seen(torch.float32, None)
assert smallest < 0.5 and largest > 2
for size in (10, 1):
    smallest, largest = seen(torch.float32, size)
    assert smallest < -1 and largest > 1.5
END
venv/bin/python vargrad.py
