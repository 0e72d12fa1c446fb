"""The released nets, in an environment of their own: reads orders as lines of JSON, and answers so.

{"naming": "timm", "net": "seresnet18", "folder": "FOLDER"}
    builds it with random weights and statistics, writes them as F32, F16, BF16, F64 and .pth,
    and the scores that its own rounded weights give: {"versions": …, "parameters": …}
{"check": "FOLDER/ours"}
    loads the files there strictly into the last net: {"F32": 1e-6, …}, the errors of its scores
"""

import importlib.metadata
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

DTYPES = {
    "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64,
}  # fmt: skip
PACKAGES = {
    "timm": "timm", "timm-legacy": "timm", "torchvision": "torchvision",
    "cadene": "pretrainedmodels", "pytorchcv": "pytorchcv", "transformers": "transformers",
}  # fmt: skip
operators = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):  # compiled for another torch than this one; no net here needs them
    operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def timm(name):
    import timm

    return timm.create_model(name)


def torchvision(name):
    from torchvision import models

    return getattr(models, name)(weights=None)


def cadene(name):
    import pretrainedmodels

    return getattr(pretrainedmodels, name)(pretrained=None)


def moskomule(name):
    from senet import se_resnet

    return getattr(se_resnet, name)()


def pytorchcv(name):
    from pytorchcv.model_provider import get_model

    return get_model(name)


def transformers(name):
    import transformers as hf

    depths = {
        "18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 6, 3), "101": (3, 4, 23, 3),
        "152": (3, 8, 36, 3),
    }  # fmt: skip
    kind, depth = name.split("/")[1].rsplit("-", 1)
    if kind == "resnet":
        basic = depth in ("18", "34")
        sizes = [64, 128, 256, 512] if basic else [256, 512, 1024, 2048]
        config = hf.ResNetConfig(
            depths=depths[depth], hidden_sizes=sizes, num_labels=1000,
            layer_type="basic" if basic else "bottleneck",
        )  # fmt: skip
        return hf.ResNetForImageClassification(config)
    if kind == "regnet-y":
        config = hf.RegNetConfig(
            depths=[1, 3, 6, 6], hidden_sizes=[48, 104, 208, 440], groups_width=8, num_labels=1000
        )
        return hf.RegNetForImageClassification(config)
    config = hf.EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, num_labels=1000
    )
    return hf.EfficientNetForImageClassification(config)


MAKERS = {
    "timm": timm, "timm-legacy": timm, "torchvision": torchvision, "cadene": cadene,
    "moskomule": moskomule, "pytorchcv": pytorchcv, "transformers": transformers,
}  # fmt: skip


def fill(net, generator):
    """No bias, norm or statistic is as it is by default; other weights are drawn by the library.

    Norms weigh by a half: where each block of a deep net doubled its signal, gates would all be 0
    or 1, and which of them a gate is would hang on the last bit.
    """
    for name, value in net.state_dict().items():
        if value.dim() == 1 and name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=generator)
        elif value.dim() == 1:
            low = 0.5 if name.endswith("running_var") else 0.25
            value.uniform_(low, 3 * low, generator=generator)


def size_of(naming, net):
    """Of an image; some take the mean of a map of 7×7 or 8×8 pixels and of no other."""
    if "cifar" in net or net in ("se_resnet20", "se_resnet32", "se_resnet56"):
        return 32
    return 224 if naming in ("cadene", "pytorchcv") else 64


def spoil(net):
    """Other weights than those that are loaded next."""
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.fill_(3)


def scores(net, images):
    given = net(images)
    return (given if isinstance(given, torch.Tensor) else given.logits).numpy()


def rounded(state, dtype):
    return {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in state.items()
    }


class Session:
    def write(self, naming, net, folder):
        self.folder, generator = Path(folder), torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        self.net = MAKERS[naming](net).eval()
        size = size_of(naming, net)
        self.images = torch.randn(2, 3, size, size, generator=generator)
        fill(self.net, generator)
        np.save(self.folder / "images.npy", self.images.numpy())
        state = {name: value.clone() for name, value in self.net.state_dict().items()}
        for kind, dtype in DTYPES.items():
            narrow = rounded(state, dtype)
            save_file(narrow, self.folder / f"{kind}.safetensors")
            self.net.load_state_dict(rounded(narrow, torch.float32))
            np.save(self.folder / f"{kind}.npy", scores(self.net, self.images))
        torch.save({"state_dict": state}, self.folder / "pth.pth")
        package = PACKAGES.get(naming)
        return {
            "parameters": sum(value.numel() for value in self.net.parameters()),
            "versions": {p: importlib.metadata.version(p) for p in (package, "torch") if p},
        }

    def check(self, folder):
        errors = {}
        for kind in DTYPES:
            spoil(self.net)
            self.net.load_state_dict(load_file(Path(folder) / f"{kind}.safetensors"), strict=True)
            expected = np.load(self.folder / f"{kind}.npy")
            found = scores(self.net, self.images)
            errors[kind] = float(abs(found - expected).max() / abs(expected).max())
        return errors


def answer(session, order):
    try:
        return session.check(order["check"]) if "check" in order else session.write(**order)
    except Exception as error:  # the other side tells it
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_grad_enabled(False)
    session = Session()
    for line in sys.stdin:
        print(json.dumps(answer(session, json.loads(line))), flush=True)
