#!/usr/bin/env bash
# grad-cam 1.5.7: AblationCAM sets a channel to zero, as the paper does, only while the least value of
# the layer is exactly 0, as behind a ReLU. Elsewhere (hard swish, batch norm, a sum) it writes the
# least value less 1e7, but the least value of the whole batch of copies, in which the channels before
# have been ablated: each copy is 1e7 lower than the last. So a channel's weight is its place in the
# batch times its weight in the net, times ten million, whatever its map holds, and batch_size or the
# order of the channels changes the picture.
#
#   two channels of one score, alike but for their place: map at the place of the first, the second
#   ReLU                      1      1
#   hard swish                0.41   1
#   hard swish, swapped       1      0.41
#   hard swish, batch_size=1  1      1
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
cat > ablate.py <<'END'
import torch
from pytorch_grad_cam import AblationCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

FIRST, SECOND = (0, 0), (2, 2)


def seen(activation, swapped=False, **options):
    net = nn.Sequential(activation, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1))
    net[3].load_state_dict({"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
    x = torch.full((1, 2, 3, 3), -1.0)
    x[0, 0][FIRST] = x[0, 1][SECOND] = 3.0
    with AblationCAM(net, [activation], **options) as cam:
        (picture,) = cam(x.flip(1) if swapped else x, [ClassifierOutputTarget(0)])
    places = [round(float(picture[place]), 2) for place in (FIRST, SECOND)]
    print("seen", type(activation).__name__, swapped, options, places)
    return places


assert seen(nn.ReLU()) == [1, 1]
assert seen(nn.Hardswish()) == [0.41, 1]
assert seen(nn.Hardswish(), swapped=True) == [1, 0.41]
assert seen(nn.Hardswish(), batch_size=1) == [1, 1]
END
venv/bin/python ablate.py 2> progress
