"""Weights of released nets read here, and ours read there: python tests/oracle/released/weights.py

In the folder that --folder names, or a temporary one, an environment is made with the pinned
packages. For each net of `models.NAMINGS` that package writes random weights in five ways, which
are read here and give scores; then what is written here is loaded strictly there. The errors,
relative to the largest score, go into weights.json beside this file, and from there into the
reference page. PyTorch's own convolutions on the two sides of a comparison differ by some 1e-6.

--only timm pytorchcv compares these alone and leaves the rest of the record as it was; --rest only
what the record has not, or not as it should be. moskomule's nets are no package: --moskomule names
a folder with its files senet/se_resnet.py (of commit 099acb5) and senet/se_module.py (9d279ec).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import venv
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minise import InputError, models

HERE = Path(__file__).parent
RECORD = HERE / "weights.json"
PAGE = HERE.parents[2] / "tutorials" / "reference" / "weights.md"
DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}
LIMIT = 1e-5
# nets of theirs that are none of ours, and the one of ours that comes nearest
OTHERS = {
    "timm": {
        "mobilenetv3_rw": "se-mobilenetv3-large",
        "resnet50d": "resnet50",
        "seresnet152d": "se-resnet152",
        "seresnext26d_32x4d": "se-resnext50-32x4d",
        "tf_efficientnet_b0": "se-efficientnet-b0",
        "ecaresnet50d": "se-resnet50",
    },
    "timm-legacy": {"legacy_seresnext26_32x4d": "se-resnext50-32x4d"},
    "torchvision": {"wide_resnet50_2": "resnet50"},
    "pytorchcv": {
        "resnet50b": "resnet50",
        "mobilenetv3_large_w1": "se-mobilenetv3-large",
        "efficientnet_b0b": "se-efficientnet-b0",
    },
    "transformers": {"google/efficientnet-b0": "se-efficientnet-b0"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(models.NAMINGS))
    parser.add_argument("--rest", action="store_true")
    parser.add_argument("--moskomule", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        theirs = Theirs(environment(folder), given.moskomule)
        for naming in given.only or models.NAMINGS:
            if naming != "moskomule" or given.moskomule:
                compare(theirs, naming, folder, written().get(naming) if given.rest else None)
    record = {naming: written()[naming] for naming in models.NAMINGS if naming in written()}
    PAGE.write_text(page(record), encoding="utf-8")
    wrong = [
        f"{naming} {net}"
        for naming, rows in record.items()
        for net, row in rows["nets"].items()
        if not fits(row)
    ]
    sys.exit(f"not as it should be: {', '.join(wrong)}" if wrong else 0)


def written() -> dict:
    """The record as it is."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def environment(folder: Path) -> Path:
    """Its Python, with the pinned packages."""
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
        install = [python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"]
        subprocess.run(install, check=True)
    return python


class Theirs:
    """The process with their packages."""

    def __init__(self, python: Path, moskomule: Path | None) -> None:
        paths = {"PYTHONPATH": str(moskomule.resolve())} if moskomule else {}
        self.process = subprocess.Popen(
            [python, HERE / "theirs.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **paths},
        )  # fmt: skip

    def ask(self, **order: str) -> dict:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{order}: {answer['error']}")
        return answer


def compare(theirs: Theirs, naming: str, folder: Path, rows: dict | None) -> None:
    """Put one library into the record, beside the rows that it has."""
    rows = rows or {"versions": {}, "nets": {}, "others": {}}
    for ours, net in models.NAMINGS[naming].nets.items():
        if fits(rows["nets"].get(ours, {})):
            continue
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            rows["nets"][ours] = row = {"theirs": net, **both_ways(theirs, naming, ours, scratch)}
            rows["versions"] |= row.pop("versions")
        print(naming, net, row.get("error") or f"{row['read']} {row['written']}", flush=True)
        keep(naming, rows)
    for net, ours in OTHERS.get(naming, {}).items():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            rows["others"][net] = refusal(theirs, naming, net, ours, Path(scratch))
        print(naming, net, rows["others"][net], flush=True)
    keep(naming, rows)


def keep(naming: str, rows: dict) -> None:
    RECORD.write_text(json.dumps(written() | {naming: rows}, indent=1) + "\n")


def both_ways(theirs: Theirs, naming: str, ours: str, scratch: str) -> dict:
    folder, net = Path(scratch), models.NAMINGS[naming].nets[ours]
    told = theirs.ask(naming=naming, net=net, folder=scratch)
    row: dict = {"versions": told["versions"], "parameters": told["parameters"], "read": {}}
    images = np.load(folder / "images.npy")
    (folder / "ours").mkdir()
    try:
        for kind in (*DTYPES, "pth"):
            path = folder / f"{kind}.{'pth' if kind == 'pth' else 'safetensors'}"
            found = models.load(ours, path, naming=naming)
            expected = np.load(folder / f"{'F32' if kind == 'pth' else kind}.npy")
            row["read"][kind] = error_of(found(images), expected)
            path.unlink()
        for kind, dtype in DTYPES.items():
            models.save(found, folder / "ours" / f"{kind}.safetensors", naming=naming, dtype=dtype)
        row["written"] = theirs.ask(check=str(folder / "ours"))
    except (InputError, RuntimeError) as error:
        row["error"] = str(error).replace(scratch, "…")
    return row


def refusal(theirs: Theirs, naming: str, net: str, ours: str, folder: Path) -> str | float:
    """What is said where the net nearest to theirs is loaded from its file; or the error if not."""
    path = folder / "F32.safetensors"
    theirs.ask(naming=naming, net=net, folder=str(folder))
    try:
        found = models.load(ours, path, naming=naming)(np.load(folder / "images.npy"))
    except InputError as error:
        return str(error).replace(str(path), path.name)
    return error_of(found, np.load(folder / "F32.npy"))


def error_of(found: np.ndarray, expected: np.ndarray) -> float:
    return float(abs(found - expected).max() / abs(expected).max())


def fits(row: dict) -> bool:
    errors = [*row.get("read", {}).values(), *row.get("written", {}).values()]
    return len(errors) == 9 and max(errors) <= LIMIT


def page(record: dict) -> str:
    """The reference page of a record."""
    return "\n".join(lines(record)) + "\n"


def lines(record: dict) -> Iterator[str]:
    yield INTRODUCTION
    for naming, rows in record.items():
        versions = ", ".join(f"{name} {v.split('+')[0]}" for name, v in rows["versions"].items())
        yield f"## {naming}\n\nNets of {models.NAMINGS[naming].source} ({versions}).\n"
        if naming == "moskomule":
            yield NO_PACKAGE
        yield "| net | theirs | parameters | read, error | written, error |\n|---|---|---|---|---|"
        for ours, row in rows["nets"].items():
            read, written = (worst(row[way]) for way in ("read", "written"))
            yield f"| {ours} | {row['theirs']} | {row['parameters']:,} | {read} | {written} |"
        yield ""
        yield from (f"* {told(net, found)}" for net, found in rows["others"].items())
        yield ""


def worst(errors: dict) -> str:
    """Rounded up: figures of another machine differ in their digits."""
    largest = max(errors.values())
    if not largest:
        return "0"
    exponent = math.floor(math.log10(largest))
    digit = math.ceil(largest / 10**exponent)
    return f"{digit}e{exponent}" if digit < 10 else f"1e{exponent + 1}"


def told(net: str, found: str | float) -> str:
    """What becomes of a file of a net that is none of ours."""
    if isinstance(found, float):
        return (
            f"`{net}` is another net with the same names and shapes: its file does not tell, and "
            f"the scores are off by {found:.1g}"
        )
    first, *rest = found.split("\n")
    name = first.partition("does not fit ")[2].partition(" ")[0]
    if not name:
        return f"`{net}`: {first}"
    kinds = [line.strip().partition(":")[0] for line in rest if line.startswith("  ")]
    return f"`{net}` is not read as {name}: tensors are {', '.join(kinds)}"


NO_PACKAGE = """\
It is no package, and its repository was not at hand: the classes that were run are typed after its
files se_resnet.py (of commit 099acb5) and se_module.py (9d279ec), without their initial weights.
"""
INTRODUCTION = """\
# Weights of other libraries

**Why do the weights load, and the scores differ?** A file has numbers and their names, and nothing
of what is computed with them. Nets with equal names and shapes differ in

* where a bottleneck has its stride, in its first convolution or in the 3×3 (`stride_first`),
* how the stem pools at the edge (`ceil_pool`), and on which sides a convolution pads,
* a relu between batch norm and SE (`placement="activated"`: timm's legacy basic block),
* the constant in batch norms (`norm_eps`), and the gate: sigmoid, or a hard one (`gate`).

So say whose file it is, and minise builds the net as they do:

```python
net = models.load("se-resnet50", "seresnet50.safetensors", naming="timm")
models.save(net, "mine.safetensors", naming="timm", dtype="bfloat16")
```

A file of another net is refused, with the tensors that do not fit and the call that reads it; so is
a net that the library does not have. To save, the net is compared with theirs, and if it differs
the error says in what, and the call that makes theirs. Only what no file shows can go wrong: timm's
`tf_efficientnet_b0` has the names and shapes of its `efficientnet_b0`. Such nets are named below
the tables. If yours is not one of them, compare the images: how pixels are normalised, their size
and the order of the colours are in no file of weights. Why the *number* of parameters differs is
told under [presets](presets.md).

## How the tables were made

Each net below was built by the released package with random weights and statistics, and written as
float32, float16, bfloat16 and float64 in `.safetensors` and as a `.pth` file.
{py:obj}`models.load <minise.models.load>` read each, and the scores of two images were compared:
the error is the largest difference of the five, as a part of the largest score. Then
{py:obj}`models.save <minise.models.save>` wrote them in the four dtypes, and the package loaded
them strictly: 0 says that its scores are the same to the last bit. Below each table are nets of the
library that are none of minise's. Made by `tests/oracle/released/weights.py`.
"""


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
