#!/usr/bin/env bash
# torchcam 0.5.0: GradCAMpp divides by the denominator of alpha in a copy, alpha[mask].div_(…), and
# goes on with the numerator: a channel's weight is the sum of its positive derivatives to the third
# power, where that of the documented formula grows as the first. Of two maps, what is worth half
# counts an eighth, in the normalised map too. SmoothGradCAMpp has the weights, and applies them to
# the maps of its last noisy input: for an image whose maps are zero it returns noise.
#
#   two maps, each 1 at one position; score = mean of the first + 2 · mean of the second
#                           seen                 documented
#   GradCAMpp               0.0625 and 0.5       0.444 and 0.8
#   GradCAMpp, normalised   0.125 and 1          0.556 and 1
#   GradCAM                 0.25 and 0.5         0.25 and 0.5
#   SmoothGradCAMpp, maps of zero
#                           0.56, 0, 0.09, 0.34  0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install torchcam==0.5.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > alpha.py <<'END'
import torch
from torch import nn
from torchcam.methods import GradCAM, GradCAMpp, SmoothGradCAMpp

torch.manual_seed(0)
net = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 1)).eval()
net[3].load_state_dict({"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.zeros(1)})
maps = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]])


def seen(method, x, normalized=False):
    with method(net, target_layer=net[0]) as extractor:
        (cam,) = extractor(0, net(x.requires_grad_()), normalized=normalized)
    print(f"{method.__name__:16}", cam.flatten().tolist())
    return cam[0]


def close(cam, first, second):
    torch.testing.assert_close(cam, torch.tensor([[first, 0.0], [0.0, second]]))


slopes = 0.25, 0.5  # of the score by each of a map's four entries
alphas = [g**2 / (2 * g**2 + 1 * g**3) for g in slopes]  # 1 is the sum over the map
documented = [4 * alpha * g for alpha, g in zip(alphas, slopes)]
print("documented", documented)
assert [round(weight, 3) for weight in documented] == [0.444, 0.8]
close(seen(GradCAMpp, maps), 4 * 0.25**3, 4 * 0.5**3)
close(seen(GradCAMpp, maps, normalized=True), 0.125, 1.0)
close(seen(GradCAM, maps), 0.25, 0.5)

noise = seen(SmoothGradCAMpp, 0 * maps)
assert noise.max() > 0.1
END
venv/bin/python alpha.py
