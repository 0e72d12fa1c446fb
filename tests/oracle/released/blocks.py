"""The SE blocks of released packages beside minise's presets, as blocks.json.

    python tests/oracle/released/blocks.py FOLDER [widths] [outputs] [ENVIRONMENT…]

It makes environments in FOLDER with the packages at the versions below, and in each runs the script
`in_ENVIRONMENT.py`: for the hidden widths of every C, which takes minutes, and for what the blocks
make of random numbers, which takes seconds; without either word, for both.
`tests/nn/test_presets.py` compares minise's presets with the record.
"""

import hashlib
import json
import math
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from reading import CHANNELS, COMPARED

from minise.nn import PRESETS

HERE = Path(__file__).parent
RECORD = HERE / "blocks.json"
WHAT = ("widths", "outputs")
SHOWN = (16, 24, 40, 64, 72, 88, 96, 120, 144, 240, 256, 480, 512, 672, 960, 1024, 2048)


class Environment(NamedTuple):
    """What is installed, and `alone` without what it asks for."""

    packages: str
    alone: str


ENVIRONMENTS = {
    "torch": Environment(
        # torchvision beside this PyTorch does not load its compiled file: `in_torch.py` declares
        # the operators that are missing
        "torch==2.13.0 numpy pyyaml huggingface_hub tqdm requests addict rich yapf termcolor einops"
        " munch iopath regex tokenizers fastcore fastprogress fasttransform plum-dispatch"
        " model-index hyperpyyaml joblib sentencepiece psutil scipy pandas scikit-learn polars"
        " py-cpuinfo ultralytics-thop opencv-python-headless pillow matplotlib safetensors six"
        " packaging typing_extensions",
        "timm==1.0.31 torchvision==0.28.0 fastai==2.8.12 monai==1.6.1 transformers==5.24.0"
        " segmentation-models-pytorch==0.6.0 efficientnet-pytorch==0.7.1 geffnet==1.0.2"
        " pytorchcv==0.0.74 fvcore==0.1.5.post20221221 channel-attention==0.0.1"
        " vit-pytorch==1.26.14 speechbrain==1.1.2 pretrainedmodels==0.7.4 mmpretrain==1.2.0"
        " mmcv-lite==2.2.0 mmengine==0.10.7 pytorch-toolbelt==0.8.0 glasses==0.0.6"
        " deepctr-torch==0.3.0 fuxictr==2.3.10 espnet==202511 ultralytics==8.4.190",
    ),
    "tensorflow": Environment(
        "tensorflow-cpu==2.21.0 tf_keras==2.21.0 keras==3.15.1 keras-cv==0.9.0"
        " keras-cv-attention-models==1.4.3 image-classifiers==1.0.0",
        "",
    ),
    "paddle": Environment(
        "paddlepaddle==3.3.1 requests tqdm prettytable ujson scikit-learn opencv-python-headless"
        " easydict gast scipy pyyaml matplotlib pillow pandas visualdl faiss-cpu",
        "paddleclas==2.6.0",
    ),
    "mindspore": Environment("mindspore==2.10.0 mindcv==0.3.0 numpy==1.26.4", ""),
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
        "shown": {C: widths[C - CHANNELS[0]] for C in SHOWN},
        "step": step,
        "refused": ranges,  # first and last of each
        "digest": digest(widths),
    }


def read(environment, python, what, folder):
    """The widths by preset, or the arrays by "preset/C/name"."""
    script = [python, "-W", "ignore", HERE / f"in_{environment}.py", what]
    if what == "widths":
        printed = subprocess.run(script, check=True, stdout=subprocess.PIPE).stdout
        return json.loads(printed.splitlines()[-1])
    subprocess.run([*script, folder / "outputs.npz"], check=True, stdout=subprocess.PIPE)
    with np.load(folder / "outputs.npz") as kept:
        return dict(kept)


def maps(x):
    """(N, C, L) -> (N, C, 1, L)."""
    return x if x.ndim == 4 else x[:, :, None]


def error(preset, C, arrays):
    """Of minise's output with the numbers of theirs, relative to the largest."""
    x, y = maps(arrays.pop("x")), maps(arrays.pop("y"))
    of = {"reduced_from": C} if preset.expansion else {}
    block = preset.make(x.shape[1], dtype=x.dtype, rng=np.random.default_rng(0), **of)
    state = block.state_dict()
    numbers = {}
    for (name, own), theirs in zip(state.items(), arrays.values(), strict=True):
        if [n for n in own.shape if n > 1] != [n for n in theirs.shape if n > 1]:
            raise ValueError(f"{name} has a shape of {own.shape}, theirs of {theirs.shape}")
        numbers[name] = theirs.reshape(own.shape)
    block.load_state_dict(numbers)
    ours = block.predict(x)
    return float(np.abs(ours - y).max() / np.abs(y).max())


def errors(arrays):
    """The largest of each preset, and the precision."""
    of_blocks = {}
    for path, array in arrays.items():
        preset, C, name = path.split("/")
        of_blocks.setdefault(preset, {}).setdefault(int(C), {})[name] = array
    return {
        preset: {
            "channels": list(COMPARED),
            "dtype": str(by_C[COMPARED[0]]["x"].dtype),
            "arguments": PRESETS[preset].arguments,  # with which they were compared
            "error": max(error(PRESETS[preset], C, arrays) for C, arrays in by_C.items()),
        }
        for preset, by_C in of_blocks.items()
    }


def main(folder, words):
    kept = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    for name in [word for word in words if word not in WHAT] or ENVIRONMENTS:
        python = make(ENVIRONMENTS[name], folder / name)
        for what in [word for word in words if word in WHAT] or WHAT:
            found = read(name, python, what, folder)
            found = (
                {preset: record(widths) for preset, widths in found.items()}
                if what == "widths"
                else errors(found)
            )
            for preset, row in found.items():
                kept.setdefault(preset, {})["package"] = PRESETS[preset].package
                kept[preset][what] = row
                print(preset, row["shown" if what == "widths" else "error"])
    rows = [f"{json.dumps(preset)}: {json.dumps(kept[preset])}" for preset in sorted(kept)]
    RECORD.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
