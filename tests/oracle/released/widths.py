"""The hidden widths of released packages' SE blocks for every C, as widths.json.

    python tests/oracle/released/widths.py FOLDER [ENVIRONMENT…]

It makes environments in FOLDER with the packages at the versions below, runs `blocks.py` in each,
and writes what it read. `tests/nn/test_presets.py` compares minise's presets with that file.
"""

import hashlib
import json
import math
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

from minise.nn import PRESETS

HERE = Path(__file__).parent
WIDTHS = HERE / "widths.json"
CHANNELS = range(8, 4097)
SHOWN = (16, 24, 40, 64, 72, 88, 96, 120, 144, 240, 256, 480, 512, 672, 960, 1024, 2048)


class Environment(NamedTuple):
    """What is installed, `alone` without what it asks for, and the presets that are read in it."""

    packages: str
    alone: str
    presets: str


ENVIRONMENTS = {
    "torch": Environment(
        # torchvision beside this PyTorch does not load its compiled file: `blocks.py` declares the
        # operators that are missing
        "torch==2.13.0 numpy pyyaml huggingface_hub tqdm requests addict rich yapf termcolor einops"
        " munch iopath regex tokenizers fastcore fastprogress fasttransform plum-dispatch"
        " model-index hyperpyyaml joblib sentencepiece psutil scipy pandas scikit-learn polars"
        " py-cpuinfo opencv-python-headless pillow matplotlib safetensors six packaging"
        " typing_extensions",
        "timm==1.0.31 torchvision==0.28.0 fastai==2.8.12 monai==1.6.1 transformers==5.24.0"
        " segmentation-models-pytorch==0.6.0 efficientnet-pytorch==0.7.1 geffnet==1.0.2"
        " pytorchcv==0.0.74 fvcore==0.1.5.post20221221 channel-attention==0.0.1"
        " vit-pytorch==1.26.14 speechbrain==1.1.2 pretrainedmodels==0.7.4 mmpretrain==1.2.0"
        " mmcv-lite==2.2.0 mmengine==0.10.7 pytorch-toolbelt==0.8.0 glasses==0.0.6"
        " deepctr-torch==0.3.0 fuxictr==2.3.10 espnet==202511",
        "timm timm-mobilenetv3 timm-mobilenetv3-rw timm-ghostnet timm-efficientnet timm-regnety"
        " timm-senet timm-eca torchvision torchvision-efficientnet torchvision-regnety cadene"
        " channel-attention deepctr efficientnet-pytorch espnet fastai fuxictr fvcore fvcore-scse"
        " geffnet geffnet-mobilenetv3 glasses glasses-spatial mmpretrain monai monai-residual"
        " pytorchcv pytorchcv-mobilenetv3 smp smp-mobileone toolbelt transformers-efficientnet"
        " transformers-pplcnet transformers-ppocrv5 transformers-regnety vit-pytorch speechbrain"
        " speechbrain-resnet",
    ),
    "tensorflow": Environment(
        "tensorflow-cpu==2.21.0 tf_keras==2.21.0 keras==3.15.1 keras-cv==0.9.0"
        " keras-cv-attention-models==1.4.3 image-classifiers==1.0.0",
        "",
        "image-classifiers kecam keras keras-efficientnet keras-cv",
    ),
    "paddle": Environment(
        "paddlepaddle==3.3.1 requests tqdm prettytable ujson scikit-learn opencv-python-headless"
        " easydict gast scipy pyyaml matplotlib pillow pandas visualdl faiss-cpu",
        "paddleclas==2.6.0",
        "paddle paddleclas paddleclas-adaface paddleclas-ghostnet paddleclas-lcnet"
        " paddleclas-resnext paddleclas-rexnet",
    ),
    "mindspore": Environment("mindspore==2.10.0 mindcv==0.3.0", "", "mindcv"),
}


def make(environment, folder):
    """The environment's Python; the environment is made unless FOLDER has it."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *environment.packages.split()], check=True)
        if environment.alone:
            subprocess.run([*pip, "--no-deps", *environment.alone.split()], check=True)
    return python


def digest(widths):
    """Of the widths for every C from 8 to 4096, null where it is refused."""
    return hashlib.sha256(json.dumps(widths).encode()).hexdigest()


def record(widths):
    """What is kept of the widths for every C, None where it is refused.

    Where only multiples of a `step` are taken, the others are not listed one by one.
    """
    taken = [C for C, width in zip(CHANNELS, widths, strict=True) if width is not None]
    step = math.gcd(*taken)
    ranges = []
    for C in CHANNELS:
        if C % step or C in taken:
            continue
        if ranges and C == ranges[-1][1] + step:
            ranges[-1][1] = C
        else:
            ranges.append([C, C])
    return {
        "widths": {C: widths[C - CHANNELS[0]] for C in SHOWN},
        "step": step,
        "refused": ranges,  # first and last of each
        "digest": digest(widths),
    }


def main(folder, names):
    found = json.loads(WIDTHS.read_text("utf-8")) if WIDTHS.exists() else {}
    for name in names or ENVIRONMENTS:
        environment = ENVIRONMENTS[name]
        python = make(environment, Path(folder) / name)
        read = subprocess.run(
            [python, "-W", "ignore", HERE / "blocks.py", *environment.presets.split()],
            check=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        for preset, widths in json.loads(read.stdout.splitlines()[-1]).items():
            found[preset] = {"package": PRESETS[preset].package, "read": "released"}
            found[preset] |= record(widths)
            print(preset, found[preset]["widths"])
    rows = [f"{json.dumps(preset)}: {json.dumps(found[preset])}" for preset in sorted(found)]
    WIDTHS.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
