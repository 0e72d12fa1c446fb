"""`minise gradcheck`."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import click
import numpy as np
from rich.console import Console

from minise import gradcheck
from minise.cli.options import computing
from minise.cli.own_code import Own, errors_in, own_example
from minise.cli.say import show
from minise.errors import InputError
from minise.files import check_writable
from minise.gradcheck import Example, Report
from minise.gradcheck.compare import TOLERANCES
from minise.nearest import nearest

Make: TypeAlias = Callable[[np.random.Generator], Example | Own]


class _Shape(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 alone
    name = "shape"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        try:
            shape = tuple(int(size) for size in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a shape, expected sizes such as 2,3,4,4", param, ctx)
        if min(shape) < 1:
            self.fail(f"{value!r} has a size below 1", param, ctx)
        return shape


@click.command("gradcheck", short_help="Check gradients by finite differences, yours too.")
@click.argument("names", nargs=-1)
@click.option(
    "--input",
    "shapes",
    type=_Shape(),
    multiple=True,
    metavar="SHAPE",
    help="Shape of an input of your own code, such as 2,3,4,4; once for each array.",
)
@click.option(
    "--plot",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw each report in this folder, as a .png.",
)
@click.option(
    "--method",
    type=click.Choice(list(TOLERANCES)),
    default="differences",
    show_default=True,
    help="Finite differences; or complex steps, exact to rounding, if your code takes them.",
)
@click.option(
    "--vary",
    is_flag=True,
    help="Check a second time, on other shapes and values, as far as your code takes them.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@computing
def gradcheck_command(
    names: tuple[str, ...],
    shapes: tuple[tuple[int, ...], ...],
    plot: Path | None,
    method: str,
    vary: bool,
    seed: int,
) -> None:
    """Compare every backward, or only those of NAMES, with finite differences, in float64.

    A name is an operation or a layer of minise, or points to your own code:

    \b
      minise gradcheck layers.py:my_layer --input 2,3,4,4

    where my_layer is a layer, an object or a class with forward and backward, a loss that returns
    its gradients, or a function with a my_layer_backward beside it, as affine_backward is beside
    affine_forward. Instead of --input, the file may have my_layer_inputs.
    Exits with 1 if a gradient is wrong.
    """  # noqa: D301 (click takes \b for: do not wrap)
    own = [name for name in names if ":" in name]
    if shapes and not own:
        raise InputError(
            "--input is for your own code, as in minise gradcheck layers.py:my_layer --input 2,3"
        )
    examples: dict[str, Make] = {name: partial(own_example, name, shapes) for name in own}
    if not names or len(own) < len(names):
        examples = _of_minise([name for name in names if name not in own]) | examples
    if plot is not None:
        check_writable(plot)
        files = [_picture(name).casefold() for name in examples]  # Windows: A.png is a.png
        if twice := [file for file in files if files.count(file) > 1]:
            raise InputError(f"two reports would be drawn in the same file, {plot / twice[0]}")
    console, width = Console(), max(map(len, examples))
    reports: dict[str, Report] = {}
    for name, make in examples.items():
        with errors_in(name.rpartition(":")[0]) if name in own else nullcontext():
            example = make(np.random.default_rng(seed))
            reports[name] = gradcheck.check(
                example.subject,
                *example.inputs,
                rng=np.random.default_rng([seed, 1]),
                training=example.training,
                method=method,
                **(example.told if isinstance(example, Own) else {}),
                vary=vary,
            )
        if name not in own:
            _tell(console, f"{name:<{width}}", reports[name])
        if name in own or not reports[name].passed:
            show(console, f"{reports[name]}\n")
        if plot is not None:
            _draw(reports[name], plot, name)
    _sum_up(console, reports)


def _of_minise(names: list[str]) -> dict[str, Make]:
    """Those examples, or all."""
    known = {name.split(",")[0] for name in gradcheck.EXAMPLES}
    for name in names:
        if name.endswith(".py"):
            raise InputError(f"{name}: name a function or a layer in it, as in {name}:my_layer")
        if name not in known:
            raise InputError(nearest("operation or layer", name, sorted(known), "minise gradcheck"))
    return {
        name: make
        for name, make in gradcheck.EXAMPLES.items()
        if not names or name.split(",")[0] in names
    }


def _tell(console: Console, name: str, report: Report) -> None:
    entries = sum(len(gradient.entries) for gradient in report.gradients)
    verdict = "[green]passed[/]" if report.passed else "[bold red]FAILED[/]"
    show(
        console,
        f"{name}  {entries:>4,} entries  worst error {report.relative_error:.1e}  {verdict}",
        markup=True,
    )


def _draw(report: Report, folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write into {folder}: {error.strerror}") from error
    report.plot(folder / _picture(name))


def _picture(name: str) -> str:
    """Its file's name, of letters that every system takes."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.") + ".png"


def _sum_up(console: Console, reports: dict[str, Report]) -> None:
    passed = sum(report.passed for report in reports.values())
    worst = max(reports, key=lambda name: np.nan_to_num(reports[name].relative_error, nan=np.inf))
    if len(reports) > 1:
        show(
            console,
            f"{passed} of {len(reports)} passed; worst relative error "
            f"{reports[worst].relative_error:.1e}, of {worst}",
        )
    if passed < len(reports):
        failed = [name for name, report in reports.items() if not report.passed]
        raise InputError(f"gradients are wrong: {', '.join(failed)}")
