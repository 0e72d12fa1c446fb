"""`minise gradcheck`."""

from __future__ import annotations

import click
import numpy as np
from rich.console import Console

from minise import gradcheck
from minise.cli.options import computing
from minise.errors import InputError
from minise.nearest import nearest


@click.command("gradcheck", short_help="Hold every gradient against finite differences.")
@click.argument("names", nargs=-1)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@computing
def gradcheck_command(names: tuple[str, ...], seed: int) -> None:
    """Hold every backward against finite differences, or those of NAMES alone.

    Each entry of each input and parameter is moved up and down by 0.00001, in float64. Exits with
    1 if the relative error of one is above 0.000001.
    """
    chosen = gradcheck.EXAMPLES
    if names:
        known = {name.split(",")[0] for name in chosen}
        for name in names:
            if name not in known:
                raise InputError(nearest("operation or block", name, sorted(known)))
        chosen = {name: make for name, make in chosen.items() if name.split(",")[0] in names}
    console = Console()
    width = max(map(len, chosen))
    console.print(f"[bold]{'':<{width}}  entries  worst relative error[/]", highlight=False)
    reports = {}
    for name, make in chosen.items():
        example = make(np.random.default_rng(seed))
        report = gradcheck.check(
            example.subject,
            *example.inputs,
            rng=np.random.default_rng([seed, 1]),
            training=example.training,
        )
        reports[name] = report
        entries = sum(entry.entries for entry in report.worst)
        verdict = "[green]passed[/]" if report.passed else "[bold red]FAILED[/]"
        console.print(
            f"{name:<{width}}  {entries:>7}  {report.relative_error:.1e}  {verdict}",
            highlight=False,
            soft_wrap=True,
        )
        if not report.passed:
            console.print(str(report), highlight=False, markup=False, soft_wrap=True)
    passed = sum(report.passed for report in reports.values())
    worst = max(reports, key=lambda name: reports[name].relative_error)
    console.print(
        f"\n{passed} of {len(reports)} passed; worst relative error "
        f"{reports[worst].relative_error:.1e}, of {worst}",
        highlight=False,
    )
    if passed < len(reports):
        raise InputError(f"{len(reports) - passed} gradient checks failed")
