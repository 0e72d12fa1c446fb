"""`minise recipes`."""

from __future__ import annotations

import click
from rich.console import Console

from minise import models, runs
from minise.cli.say import show, table


@click.command("recipes", short_help="List trainings worth repeating, and their results.")
def recipes_command() -> None:
    """List the recipes that `train --recipe NAME` follows, and their test accuracy on MNIST.

    Each line of a recipe is a net, with SE or without: the mean over seeds, the deviation of one
    run, then each run.
    """
    console = Console()
    for name, recipe in runs.RECIPES.items():
        gave = table("model", "parameters", "mean test", "deviation", "each")
        show(console, f"[bold]{name}[/]: {recipe.about}", markup=True)
        gave.columns[0].no_wrap, gave.columns[1].justify = True, "right"
        rows = [(recipe.config, recipe.accuracy)]
        if plain := runs.without_se(recipe.config):
            rows.append((plain, recipe.accuracy_without_se))
        for config, tests in rows:
            net = models.create(config.model, filled=False, **config.options)
            gave.add_row(
                config.model,
                f"{sum(parameter.value.size for parameter in net.parameters()):,}",
                f"{tests.mean:.3%}",
                f"{tests.deviation:.3%}",
                " ".join(f"{accuracy:.2%}" for accuracy in tests.figures.values()),
            )
        console.print(gave)
        changes = _told(recipe.accuracy - recipe.accuracy_without_se)
        show(console, f"SE: {changes}")
        show(console, f"minise train --recipe {name} --seed 0\n")


def _told(difference: runs.Seeds) -> str:
    """As in "+0.040 % ± 0.021 % over 5 seeds"."""
    mean, error = difference.mean, difference.standard_error
    return f"{mean:+.3%} ± {error:.3%} over {len(difference.figures)} seeds"
