"""The reference page of what `run.py` found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

PAGE = Path(__file__).parents[3] / "tutorials" / "reference" / "runtimes.md"
LIMIT = 1e-4  # of the largest score: right
BATCHES = ("1", "5", "64")
FEW = 8  # are named


def page(record: dict) -> str:
    """The page of a record."""
    return "\n".join(lines(record)) + "\n"


def lines(record: dict) -> Iterator[str]:
    now, before = record["now"], record.get("before", {})
    nets = max(len(rows["nets"]) for rows in now.values())
    yield INTRODUCTION.format(nets=nets)
    yield "| runtime | 1 image | 5 | 64 | earlier form | version |\n|---|---:|---:|---:|---:|---|"
    for name, rows in now.items():
        counts = [share(rows, nets, N) for N in BATCHES]
        counts = counts if rows["nets"] else ["not installed", "", ""]
        earlier = share(before[name], nets, *BATCHES) if name in before else ""
        package = f"{rows['package']} {rows['version']}"
        yield f"| {name} | {' | '.join(counts)} | {earlier} | {package} |"
    yield ABOUT_THE_TABLE
    yield "## What is not right\n"
    for name, rows in now.items():
        yield from (f"* {name}: {told}" for told in failures(rows["nets"]))
    yield ""
    yield WHAT_TO_KNOW


def share(rows: dict, nets: int, *batches: str) -> str:
    """How many nets are right at all these batches; of how many, where not all were run."""
    right = sum(all(is_right(net, N) for N in batches) for net in rows["nets"].values())
    return f"{right}" if len(rows["nets"]) == nets else f"{right} of {len(rows['nets'])}"


def is_right(net: dict, N: str) -> bool:
    """In either form of the input."""
    return all(isinstance(x := form.get(N), float) and x <= LIMIT for form in net.values())


def failures(nets: dict) -> Iterator[str]:
    """What goes wrong, each with the nets of which it is told."""
    told = sorted((fault, name) for name, net in nets.items() if (fault := fault_of(net)))
    for fault, group in groupby(told, key=lambda pair: pair[0]):
        names = [name for _, name in group]
        which = "; ".join(names) if len(names) <= FEW else f"{len(names)} nets"
        yield f"{fault}: {'all nets' if len(names) == len(nets) else which}"


def fault_of(net: dict) -> str:
    """Of a net, in the form that is worse; nothing where it is right."""
    for form in net.values():
        if "error" in form:
            return f"`{form['error']}`"
        for N, found in form.items():
            if isinstance(found, str):
                return f"`{found.replace('pixels', 'x')}` at {N}"
    every = [found for form in net.values() for found in form.values()]
    if not all(map(math.isfinite, every)):
        return "gives no numbers"
    if (largest := max(every)) <= LIMIT:
        return ""
    return f"off by up to 1e{math.ceil(math.log10(largest))}"


INTRODUCTION = """\
# Where it runs

**I have a trained net. Which program runs it, and are the numbers the same?** `minise export`
writes one form that was made for all of the runtimes below: few operators, batch norm folded, the
linear maps of SE as 1×1 convolutions. {nets} nets were exported, of minise's own and one for each
option and each relative of SE, and their scores were compared with minise's: right is what
differs by at most 1e-4 of the largest score, and most differ by less than 2e-6. Each was written
for pixels and for normalised images, loaded once, and given 1, 5 and then 64 images. Weights are
random, and so are biases and running averages, so that no step is left out unseen. So many of the
{nets} nets are right:
"""

ABOUT_THE_TABLE = """
The earlier form is that of minise until November 2026, with linear maps on (N, C), batch norm as
it is, and ONNX's own hard sigmoid: how many nets were right with all three batches. ncnn and
TFLite Micro are given the images one by one, and a model that is written for one image too. Made
by `tests/export/runtimes/run.py`, which has the packages of each environment.
"""

WHAT_TO_KNOW = """\
## What to know

**OpenVINO** computes in bfloat16 on processors that have it, unless it is told otherwise:

```python
net = openvino.Core().compile_model("net.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
```

**ncnn** computes in float16. `pnnx` translates the model, and takes its images one at a time:

```shell
pnnx net.onnx "inputshape=[1,1,28,28]f32" fp16=0
```

```python
net = ncnn.Net()  # before load_param
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
```

**LiteRT** takes images as (N, H, W, C) once `onnx2tf -i net.onnx -o folder` has translated the
model: `x.transpose(0, 2, 3, 1)`. For another number of images,
`interpreter.resize_tensor_input(index, x.shape)` and then `interpreter.allocate_tensors()`.
**TFLite Micro** wants one image: `minise export --batch 1`.

**CoreML and NNAPI**, through onnxruntime on a phone, take none of a model for any number of
images. With `--batch 1` all nodes go to them in one piece, as onnxruntime's
`check_onnx_model_mobile_usability` says of all nets that were asked about; only ConcurrentSE's
"max" is split in CoreML's older format.

**tinygrad**'s `OnnxRunner` keeps the number of images of its first call: make a new one for
another.

**MNN**'s `mnnconvert` runs `pip install` by itself: give it an environment of its own. So for
**esp-ppq**, which writes over the model that it is given: give it a copy.

**emx-onnx-cgen** computes the largest pixel of a map for the first image alone where the number
of images is open: `--batch 1` for nets with `squeeze="max"`, `"avg+max"`. `minise export net.h`
writes C as well.

**onnx-safetensors** puts a file of weights into a model by their names: export with
`--keep-names`. A model without it has other names, as its arrays are folded, and `load_file` then
leaves it as it is without a word.
"""
