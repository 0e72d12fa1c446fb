"""`minise tutorials`."""

from __future__ import annotations

import os
from pathlib import Path

import click

import minise
from minise.cli.terminal import quoted
from minise.errors import InputError
from minise.files import write_whole
from minise.lessons import find_notebooks, find_tables


@click.command("tutorials", short_help="Copy the tutorials, as notebooks, into a folder.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("minise-tutorials"))
def tutorials_command(folder: Path) -> None:
    """Copy the tutorials into FOLDER, by default `minise-tutorials`, to read and to work in.

    They are Jupyter notebooks, ten steps with exercises; those named `.zh.ipynb` are in Chinese.
    The table that step 10 reads comes with them. Nothing in FOLDER is overwritten: if one of them
    exists already, none is copied.
    """
    sources = find_notebooks(Path(minise.__file__).parent)
    copy_all([*sources, *find_tables(sources)], folder)
    click.echo(f"{folder}: {len(sources)} notebooks, the first is {sources[0].name}")
    click.echo("To work in them:")
    click.echo("  python -m pip install jupyterlab")
    click.echo(f"  jupyter lab {quoted(folder)}")


def copy_all(sources: list[Path], folder: Path) -> None:
    """Copy all of them into a folder, which is made where it is missing; or none.

    Raises `InputError` where one of them is there already, or cannot be written.
    """
    copies = {source: folder / source.name for source in sources}
    for copy in copies.values():
        if os.path.lexists(copy):
            raise _there_already(copy)
    try:
        contents = {copy: source.read_bytes() for source, copy in copies.items()}
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None
    written: list[Path] = []
    try:
        for copy, content in contents.items():
            _claim(copy)
            written.append(copy)
            write_whole(copy, content)
    except BaseException:  # a full disk, or Ctrl-C
        for copy in written:
            copy.unlink(missing_ok=True)
        raise


def _claim(copy: Path) -> None:
    try:
        copy.touch(exist_ok=False)
    except FileExistsError:  # of somebody who copies them in the same moment
        raise _there_already(copy) from None
    except OSError as error:
        raise InputError(f"{copy}: cannot be written: {error.strerror}") from None


def _there_already(copy: Path) -> InputError:
    return InputError(f"{copy}: exists already, and is not overwritten; no file was copied")
