"""Exported code, run by the programs that are there."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minise import export
from minise.arrays import Array
from minise.errors import InputError
from minise.export.c.compiled import compiled, scores

PATIENCE = 300  # seconds
RUN_IN_NODE = """\
import { readFileSync } from "node:fs";
import { predict } from "./net.mjs";
const images = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(images.map((pixels) => Array.from(predict(pixels)))));
"""


def scores_of_javascript(module: str, images: Array) -> Array:
    """What Node gives for images (N, C, H, W), as the module takes them: (N, K).

    Raises `InputError` where there is no Node, and where it stops with an error.
    """
    node = shutil.which("node")
    if node is None:
        raise InputError("--check runs the module in Node, which is not there: see nodejs.org")
    rows = [image.transpose(1, 2, 0).ravel().tolist() for image in images]  # (H, W, C)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net.mjs").write_text(module, encoding="utf-8")
        Path(folder, "run.mjs").write_text(RUN_IN_NODE, encoding="utf-8")
        said = _run([node, "run.mjs"], folder, json.dumps(rows))
    return np.array(json.loads(said))


def scores_of_c(name: str, header: str, images: Array, pixels: export.Pixels | None) -> Array:
    """What `name`_predict gives for images (N, C, H, W), as it takes them: (N, K).

    Raises `InputError` where there is no C compiler, and where it does not compile the header.
    """
    with tempfile.TemporaryDirectory() as folder:
        return scores(compiled(Path(folder), {name: header}), name, images, pixels)


def _run(command: Sequence[str], folder: str, fed: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=fed,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"--check: {command[0]} did not run: {error}") from None
    if done.returncode:
        last = (done.stderr.strip() or "without a word").splitlines()[-1]
        raise InputError(f"--check: {command[0]} stopped with {done.returncode}: {last}")
    return done.stdout
