"""`minise warmup`."""

from __future__ import annotations

import click
import numpy as np
from rich.console import Console

from minise import models, train
from minise.backend import asarray
from minise.cli.compiling import warm_up
from minise.cli.options import computing
from minise.data import shift_and_rotate


@click.command("warmup", short_help="Compile ahead what training will need.")
@click.argument("names", nargs=-1, metavar="[MODELS]...")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@computing
def warmup_command(names: tuple[str, ...], batch_size: int) -> None:
    """Compile what training, testing and predicting with MODELS will need.

    Without MODELS, all nets made for MNIST.

    Kernels are compiled when they are first used, and kept on disk. After this, the first training
    begins at once.
    """
    console = Console()
    of_mnist = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]
    nets = {name: models.create(name) for name in names or of_mnist}

    def passes() -> None:
        for name, net in nets.items():
            train.warm_up(net, models.image_shape(name), batch_size, shift_and_rotate)
            net(asarray(np.zeros((1, *models.image_shape(name)), np.float32)))

    warm_up(console, passes)
    console.print(f"ready: {', '.join(nets)}", highlight=False)
