#!/usr/bin/env bash
# saliency 0.2.1 (PAIR's): BlurIG multiplies all steps of a batch by the width of the last. With
# sqrt=True the widths fall from step to step, so that batch_size, described as a matter of how many
# images the net is given at once, changes the attributions and takes most of them away. Their sum
# should be f(image) - f(blurred image). Without sqrt all steps are as wide, and all is well.
#
#   f = sum of squares, bar of 6 x 3 pixels, max_sigma 9, 100 steps; sum should be 17.81
#   batch_size       1       5       20      100
#   sqrt=False       17.90   17.90   17.90   17.90
#   sqrt=True        15.01   13.41   10.07   5.78
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  saliency==0.2.1 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
cd "$folder"
cat > blur.py <<'END'
import numpy as np
from saliency.core import INPUT_OUTPUT_GRADIENTS, BlurIG
from scipy.ndimage import gaussian_filter

image = np.zeros((16, 16, 1))
image[5:11, 6:9] = 1


def gradients(images, call_model_args=None, expected_keys=None):
    return {INPUT_OUTPUT_GRADIENTS: 2 * images}  # of the sum of squares of each image


def sums(**options):
    masks = (
        BlurIG().GetMask(image, gradients, max_sigma=9, steps=100, batch_size=size, **options)
        for size in (1, 5, 20, 100)
    )
    sums = [round(mask.sum(), 2) for mask in masks]
    print(options, *sums)
    return sums


blurred = gaussian_filter(image, (9, 9, 0), mode="constant")  # as saliency does it
print("should be", (image**2).sum() - (blurred**2).sum())
assert round((image**2).sum() - (blurred**2).sum(), 2) == 17.81
assert sums(sqrt=False) == [17.9, 17.9, 17.9, 17.9]
assert sums(sqrt=True) == [15.01, 13.41, 10.07, 5.78]
END
venv/bin/python blur.py
