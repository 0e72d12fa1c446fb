"""What several commands share: options, and a run with images to show it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeAlias

import click

from minise import backend, data, runs
from minise.cli.say import tell
from minise.errors import InputError
from minise.files import PYTORCH, WEIGHTS, check_writable
from minise.nn import Layer
from minise.runs.run import CONFIG

Command: TypeAlias = Callable[..., None]


def computing(command: Command) -> Command:
    """The options of every command that computes."""

    @click.option(
        "--backend",
        "backend_name",
        metavar="NAME",
        help=f"One of {', '.join(backend.NAMES)}.  [default: numba]",
    )
    @click.option(
        "--device",
        type=click.IntRange(min=0),
        metavar="N",
        help="Number of the GPU, for cupy.  [default: 0]",
    )
    @click.option(
        "--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all cores]"
    )
    @functools.wraps(command)
    def with_options(
        backend_name: str | None, device: int | None, threads: int | None, **options: Any
    ) -> None:
        limit = nullcontext() if threads is None else backend.using_num_threads(threads)
        with backend.using(backend_name or backend.current().name, device=device), limit:
            command(**options)

    return with_options


def check_paths(*texts: Path | None, plot: Path | None = None) -> None:
    """See that they can be written: now, and not after a minute of work. `-` can.

    Raises `InputError`, also for a picture whose name does not end in .png.
    """
    if plot is not None and plot.suffix.lower() != ".png":
        raise InputError(f"--plot {plot}, expected a name that ends in .png")
    for path in (*texts, plot):
        if path is None or path == Path("-"):
            continue
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
        check_writable(path.parent)


def run_first(words: Sequence[str]) -> tuple[Path, tuple[str, ...]]:
    """The run that the first of the words names, and the others; or the newest run, and all.

    A run is its folder, or a file of weights; what has no ending is taken for one. Says which run
    is the newest. Raises `InputError` where none is named, and there is none.
    """
    if words and _names_a_run(words[0]):
        return Path(words[0]), tuple(words[1:])
    return newest_run(), tuple(words)


def newest_run(parent: Path = Path("runs")) -> Path:
    """The run in `runs` whose weights are the newest; says so.

    Raises `InputError` where there is none.
    """
    newest = newest_run_if_any(parent)
    if newest is None:
        raise InputError(f"no run is named, and there is none in {parent}: minise train makes one")
    return newest


def newest_run_if_any(parent: Path = Path("runs")) -> Path | None:
    """The same, or None."""
    weights = list(parent.glob(f"*/{WEIGHTS}"))
    if not weights:
        return None
    newest = max(weights, key=lambda path: path.stat().st_mtime).parent
    tell(f"minise: using {newest}, the newest run")
    return newest


def _names_a_run(word: str) -> bool:
    path = Path(word)
    if path.is_dir():  # else it holds pictures
        return (
            any(next(path.glob(f"{deep}{CONFIG}"), None) for deep in ("", "*/"))
            or (path / WEIGHTS).exists()
        )
    kinds = {".safetensors", *PYTORCH}
    return path.suffix.lower() in ({*kinds} if path.exists() else {*kinds, ""}) and not (
        word.isdecimal()
    )


def run_with_data(run: Path, source: str | None) -> tuple[Layer, runs.About, data.Dataset]:
    """The net of a run, what is known of it, and the images of `source`, or those it learned from.

    Raises `InputError` where they do not go together.
    """
    net, about = runs.load_run(run)
    images = data.load(source or about.data)
    check_like(images, str(run), about.num_classes, about.image_shape)
    return net, about, images


def check_like(
    images: data.Dataset, who: str, classes: int, image_shape: tuple[int, int, int]
) -> None:
    """Raises `InputError` where the images are no such as the net of `who` has learned."""
    if images.image_shape != image_shape or images.num_classes > classes:
        raise InputError(
            f"{who} learned {classes} classes of images {image_shape}; "
            f"{images.name} has {images.num_classes} of {images.image_shape}"
        )
