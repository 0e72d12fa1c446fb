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
    yield "| runtime | 1 image | 5 | 64 | earlier | version |\n|---|---:|---:|---:|---:|---|"
    for name, rows in now.items():
        counts = [share(rows, nets, N) for N in BATCHES]
        counts = counts if rows["nets"] else ["not installed", "", ""]
        earlier = share(before[name], nets, *BATCHES) if name in before else ""
        package = "" if rows["package"] == name else rows["package"] + " "
        yield f"| {name} | {' | '.join(counts)} | {earlier} | {package}{rows['version']} |"
    yield ABOUT_THE_TABLE
    yield from left_out(now)
    yield "\n## What is not right\n"
    for name, rows in now.items():
        if told := list(failures(rows["nets"])):
            yield f"* **{name}**: {WHY.get(name, 'we do not know why')}"
            yield from (f"    * {line}" for line in told)
    yield ""
    yield WHAT_TO_KNOW


def share(rows: dict, nets: int, *batches: str) -> str:
    """How many nets are right at all these batches; of how many, where not all were run."""
    right = sum(all(is_right(net, N) for N in batches) for net in rows["nets"].values())
    return f"{right}" if len(rows["nets"]) == nets else f"{right}/{len(rows['nets'])}"


def is_right(net: dict, N: str) -> bool:
    """In either form of the input."""
    return all(isinstance(x := form.get(N), float) and x <= LIMIT for form in net.values())


def left_out(now: dict) -> Iterator[str]:
    """Which nets, or which form of the input, runtimes were not given."""
    every = list(dict.fromkeys(net for rows in now.values() for net in rows["nets"]))
    told: dict[str, list[str]] = {}
    for name, rows in now.items():
        nets = rows["nets"]
        if missing := [net for net in every if net not in nets]:
            told.setdefault(f"without {named(missing)}", []).append(name)
        if one := [net for net in nets if set(nets[net]) == {"pixels"}]:
            which = "" if len(one) == len(nets) else f", {named(one)}"
            told.setdefault(f"for pixels alone{which}", []).append(name)
    yield from (f"* {what}: {'; '.join(names)}" for what, names in told.items())


def named(nets: list[str]) -> str:
    return "; ".join(nets) if len(nets) <= FEW else f"{len(nets)} nets"


def failures(nets: dict) -> Iterator[str]:
    """What goes wrong, each with the nets of which it is told."""
    told = sorted((fault, name) for name, net in nets.items() if (fault := fault_of(net)))
    for fault, group in groupby(told, key=lambda pair: pair[0]):
        names = [name for _, name in group]
        yield f"{fault}: {'all nets' if len(names) == len(nets) else named(names)}"


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
"Earlier" is the form that `export.onnx_model` wrote before it asked for `pixels`
([what changed lately](../changelog.md#what-changed-lately)): linear maps on (N, C), batch norm as
it is, ONNX's own hard sigmoid, normalised images, any number of them; all three batches have to
be right there. ncnn and TFLite Micro are given the images one by one, and so is a model that is
written for one image. The table is made by `tests/export/runtimes/run.py`, which has the packages
of each environment.

All nets went to all of them, in both forms of the input, but for these, as some take long:
"""

WHY = {  # and what to do
    "OpenVINO, as it comes": "it computes in bfloat16; [ask for float32](#what-to-know)",
    "ncnn, as it comes": "it computes in float16; [ask for float32](#what-to-know)",
    "LiteRT": "onnx2tf forgets a transposition where ECA stands on a residual block's shortcut; "
    "its older release does not",
    "LiteRT, older converter": "it mixes up the axes of some constants, (1, C, 1, 1) becomes "
    "(1, 1, C, 1); the newer one does not",
    "TFLite Micro": 'it has no RELU_0_TO_1; `gate="hard_sigmoid"` is a ramp that it '
    "has. It is not given the file that LiteRT refuses",
    "tinygrad": "a runner keeps the number of images of its first call; make a new one",
    "onnx2torch": "it has no GlobalMaxPool; [give it one](#what-to-know)",
    "emx-onnx-cgen": "its GlobalMaxPool computes the first image alone where any number may come; "
    "export with `--batch 1`",
}

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

**onnx2torch** is given an operator that it does not have so:

```python
import torch
from onnx2torch.node_converters.registry import add_converter
from onnx2torch.utils.common import OperationConverterResult, onnx_mapping_from_node


@add_converter(operation_type="GlobalMaxPool", version=1)
def global_max_pool(node, graph):
    module = torch.nn.AdaptiveMaxPool2d(1)
    return OperationConverterResult(module, onnx_mapping_from_node(node))
```

**emx-onnx-cgen** writes C, as `minise export net.h` does. Its function takes the number of images
first, unless the model was exported with `--batch 1`. Large weights go into a file beside it:
call `NAME_load("NAME.bin")` before the first image.

**onnx-safetensors** puts a file of weights into a model by their names: export with
`--keep-names`. A model without it has other names, as its arrays are folded, and `load_file` then
leaves it as it is without a word. The table is of models without it. With it batch norm stays, and
OpenCV 4 adds two normed branches wrongly, once a loaded net meets another number of images.
"""
