#!/usr/bin/env bash
# grad-cam 1.5.7: GuidedBackpropReLUModel returns the .grad of the tensor that it was given, which it
# never clears. Asked for a second class of the same image, it returns the sum of both classes'
# gradients; asked again, twice the second. On the CPU all of these are one piece of memory, so that
# the pictures returned before change as well. The net's weights keep a gradient too, which the next
# training step adds to its own unless it starts with zero_grad.
#
#   asked of one tensor, in turn       seen                     of a fresh copy of the tensor
#   class 0                            g0                       g0
#   class 1                            g0 + g1                  g1
#   class 1                            g0 + 2 · g1              g1
#   the first picture, looked at now   g0 + 2 · g1
#
# What grad-cam imports of torchvision, to load and resize images, is stood in for and not used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torch==2.13.0 numpy==2.4.6 tqdm==4.70.1 \
  ttach==0.0.3 opencv-python-headless==5.0.0.93 scikit-learn==1.9.1 scipy==1.17.1 matplotlib==3.11.2
"$folder/venv/bin/python" -m pip --quiet install --no-deps grad-cam==1.5.7
cd "$folder"
mkdir -p torchvision/transforms
touch torchvision/__init__.py
echo "Compose = Normalize = ToTensor = None" > torchvision/transforms/__init__.py
echo "resize = None" > torchvision/transforms/functional.py
cat > guided.py <<'END'
import numpy as np
import torch
from pytorch_grad_cam import GuidedBackpropReLUModel
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
)
image = torch.randn(1, 1, 6, 6)
guided = GuidedBackpropReLUModel(net)
g0, g1 = (guided(image.clone(), label) for label in (0, 1))

pictures = []
for label, seen in ((0, g0), (1, g0 + g1), (1, g0 + 2 * g1)):
    pictures.append(guided(image, label))
    print("class", label, "largest", np.abs(pictures[-1]).max(), "expected", np.abs(seen).max())
    np.testing.assert_allclose(pictures[-1], seen, rtol=1e-4, atol=1e-8)
np.testing.assert_allclose(pictures[0], g0 + 2 * g1, rtol=1e-4, atol=1e-8)
assert min(np.abs(g0).max(), np.abs(g1).max()) > 1e-3
assert net[4].weight.grad is not None
END
venv/bin/python guided.py
