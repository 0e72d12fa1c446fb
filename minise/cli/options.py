"""What several commands share: options, and a run with images to show it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from minise import backend, data, train
from minise.errors import InputError
from minise.nn import Layer

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
        help="Which GPU, for cupy.  [default: 0]",
    )
    @click.option("--threads", type=click.IntRange(min=1), help="How many.  [default: all cores]")
    @functools.wraps(command)
    def with_options(
        backend_name: str | None, device: int | None, threads: int | None, **options: Any
    ) -> None:
        block: Any = backend  # a module that can be called, which a type checker does not expect
        name = backend_name or backend.current()
        with block(name, device=device), backend.memory_explained():
            if threads is not None:
                backend.set_num_threads(threads)
            command(**options)

    return with_options


def run_with_data(run: Path, source: str | None) -> tuple[Layer, train.About, data.Dataset]:
    """The net of a run, what is known of it, and the images of `source`, or those it learned from.

    Raises `InputError` where they do not go together.
    """
    net, about = train.load_run(run)
    images = data.load(source or about.data)
    if images.image_shape != about.image_shape or images.num_classes > about.num_classes:
        raise InputError(
            f"{run} learned {about.num_classes} classes of images {about.image_shape}; "
            f"{images.name} has {images.num_classes} of {images.image_shape}"
        )
    return net, about, images
