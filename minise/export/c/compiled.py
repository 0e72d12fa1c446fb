"""Whether a header says what its net says: compiled by the C compiler that is there, and run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from minise import backend
from minise.arrays import Array
from minise.errors import InputError
from minise.export.pixels import Pixels
from minise.nn import Layer

COMPILERS = ("cc", "gcc", "clang")
_MAIN = """\
#include <stdio.h>
#include <string.h>
{includes}

int main(int argc, char **argv) {{
    FILE *images = fopen(argv[argc - 1], "rb");
    if (argc != 3 || !images) return 1;
{runs}
    return 0;
}}
"""
_RUN = """\
    if (!strcmp(argv[1], "{name}")) {{
        static {kind} image[{NAME}_INPUTS];
        float scores[{NAME}_SCORES];
        while (fread(image, sizeof image, 1, images) == 1) {{
            {name}_predict(image, scores);
            for (int k = 0; k < {NAME}_SCORES; k++) printf("%.9g ", (double)scores[k]);
        }}
    }}"""


def compiler() -> list[str]:
    """The command of the C compiler: what CC says, or cc, gcc or clang.

    Raises `InputError` where there is none, or none of the name in CC.
    """
    named = os.environ.get("CC", "").strip()
    for command in _read(named) if named else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            return command
    if named:
        raise InputError(f"export: there is no C compiler {named!r}, which is what CC says")
    raise InputError(
        f"export: no C compiler was found: expected {', '.join(COMPILERS[:-1])} or "
        f"{COMPILERS[-1]}, or its command in CC"
    )


def _read(command: str) -> list[list[str]]:
    """A path with spaces, or a name with options."""
    try:
        return [[command], shlex.split(command)]
    except ValueError:  # a quotation mark is missing
        return [[command]]


def c_difference(
    header: str, name: str, net: Layer, images: Array, *, pixels: Pixels | None
) -> float:
    """How far C and the net are apart at most on images (N, C, H, W), as a share of the largest
    score.

    `header` is the text of NAME.h. The images are what it takes: 0 to 255 where it was made with
    these `pixels`. Raises `InputError` where the header is of another name, where there is no C
    compiler, or it fails.
    """
    if f" {name}_predict(" not in header:
        raise InputError(f"export: the header has no function {name}_predict")
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder), {name: header})
        got = scores(program, name, images, pixels)
    with backend.using("numpy"):  # once only: compiling would take longer
        expected = net(images if pixels is None else pixels.normalised(images)).reshape(got.shape)
    largest = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(got - expected).max()) / largest


def compiled(
    folder: Path,
    headers: Mapping[str, str],
    command: Sequence[str] = (),
    options: Sequence[str] = ("-std=c99", "-O1"),
    suffix: str = "c",
) -> Path:
    """A program that runs any of these headers, by name. Raises `InputError` where that fails."""
    for name, header in headers.items():
        (folder / f"{name}.h").write_text(header, encoding="utf-8")
    runs = [
        _RUN.format(
            name=name,
            NAME=name.upper(),
            kind="unsigned char" if "const unsigned char pixels[" in header else "float",
        )
        for name, header in headers.items()
    ]
    includes = "\n".join(f'#include "{name}.h"' for name in headers)
    source, program = folder / f"main.{suffix}", folder / "main.exe"
    source.write_text(_MAIN.format(includes=includes, runs="\n".join(runs)), encoding="utf-8")
    arguments = [*(command or compiler()), *options, str(source), "-o", str(program), "-lm"]
    ran = _run(arguments)
    if ran.returncode != 0 or not program.exists():
        said = ran.stderr.strip().splitlines() or ["it said nothing"]
        line = next((line for line in said if "error" in line), said[0])
        raise InputError(f"export: {arguments[0]} could not compile the header: {line}")
    return program


def scores(program: Path, name: str, images: Array, pixels: Pixels | None) -> Array:
    """What the function `name` gives for images (N, C, H, W): (N, scores)."""
    file = program.with_name("images")
    rows = np.moveaxis(images, 1, -1) if images.ndim == 4 else images  # channels are neighbours
    file.write_bytes(rows.astype(np.float32 if pixels is None else np.uint8).tobytes())
    ran = _run([str(program), name, str(file)])
    if ran.returncode != 0:
        raise InputError(f"export: the compiled header failed: {ran.stderr.strip()[:200]}")
    return np.array(ran.stdout.split(), np.float32).reshape(len(images), -1)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        raise InputError(f"export: {command[0]} cannot be run: {error.strerror}") from None
