#!/usr/bin/env bash
# grad-cam 1.5.7 and torchcam 0.5.0 keep a layer's output without copying it, and what the net then
# does to it in place is in their map. So the map of an SE block in a residual net, where the shortcut
# is added in place and relu follows, is not that of the gated maps but of the block's sum after relu
# (grad-cam weighs it by the derivatives of the gated maps, torchcam by those of the sum): another
# picture, unless the net is written without in-place operations, which gives the same scores.
# grad-cam keeps output.cpu(), a copy on any device but the CPU. captum 0.9.0 copies always.
#
#   Grad-CAM of the SE block, largest 1;       the same net,      the sum after relu,
#   largest difference from that of            nothing in place   weighed likewise
#   grad-cam                                   1                  0
#   torchcam                                   1                  0
#   captum                                     0                  1
#
# What grad-cam imports of torchvision, to load and resize images, is stood in for and not used.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  torch==2.13.0 torchcam==0.5.0 captum==0.9.0 numpy==2.4.6 \
  ttach==0.0.3 opencv-python-headless==5.0.0.93 scikit-learn==1.9.1 scipy==1.17.1
"$folder/venv/bin/python" -m pip --quiet install --no-deps grad-cam==1.5.7
cd "$folder"
mkdir -p torchvision/transforms
touch torchvision/__init__.py
echo "Compose = Normalize = ToTensor = None" > torchvision/transforms/__init__.py
echo "resize = None" > torchvision/transforms/functional.py
cat > inplace.py <<'END'
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchcam.methods import GradCAM as TorchcamGradCAM


class SE(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down = nn.Linear(channels, channels // 4)
        self.up = nn.Linear(channels // 4, channels)

    def forward(self, x):
        gates = self.up(self.down(x.mean((2, 3))).relu()).sigmoid()
        return x * gates[:, :, None, None]


class Net(nn.Module):
    def __init__(self, in_place):
        super().__init__()
        self.in_place = in_place
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.se = SE(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        shortcut = self.stem(x)
        y = self.se(self.conv(shortcut))
        if self.in_place:  # the lines of a usual residual block
            y += shortcut
            y.relu_()
        else:
            y = (y + shortcut).relu()
        self.sum = y
        return self.head(y.mean((2, 3)))


def normalized(cam):
    cam = cam.clamp(min=0)
    return (cam - cam.min()) / (cam.max() - cam.min())


def cams(net):
    with GradCAM(net, [net.se]) as cam:
        yield "grad-cam", torch.from_numpy(cam(x, [ClassifierOutputTarget(1)]))[0]
    with TorchcamGradCAM(net, target_layer=net.se) as cam:
        yield "torchcam", cam(1, net(x))[0][0]
    yield "captum", normalized(LayerGradCam(net, net.se).attribute(x, target=1).detach()[0, 0])


torch.manual_seed(0)
plain, in_place = Net(False).eval(), Net(True).eval()
in_place.load_state_dict(plain.state_dict())
x = torch.randn(1, 1, 6, 6)
assert torch.equal(plain(x), in_place(x))

head, after = plain.head.weight[1].detach() / 36, plain.sum[0].detach()
by_sum = normalized((head[:, None, None] * after).sum(0))
by_gated = normalized(((head[:, None, None] * (after > 0)).mean((1, 2), keepdim=True) * after).sum(0))
weighed = {"grad-cam": by_gated, "torchcam": by_sum, "captum": by_sum}
right = dict(cams(plain))
assert all(torch.allclose(cam, right["captum"], atol=1e-5) for cam in right.values())
seen = {}
for name, cam in cams(in_place):
    differences = [(cam - other).abs().max().item() for other in (right[name], weighed[name])]
    print(f"{name:9}", *(f"{difference:.6f}" for difference in differences))
    seen[name] = [difference < 1e-5 for difference in differences]
assert seen == {"grad-cam": [False, True], "torchcam": [False, True], "captum": [True, False]}
END
venv/bin/python inplace.py
