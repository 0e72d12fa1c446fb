import io

import pytest
from rich.console import Console

from minise.train import Epoch, Step
from minise.train.progress import EpochProgress


def show(terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100)
    with EpochProgress(console, epochs=2, images=100) as progress:
        for epoch in (1, 2):
            for images in (64, 100):
                progress.on_step(Step(epoch, images, 0.25, 0.5))
                progress.bar.refresh()
            progress.on_epoch(Epoch(epoch, 0.25, 0.5, 0.125, 0.75, 0.1, 2.0, 4000.0))
    return screen.getvalue()


def test_a_terminal_shows_a_bar_for_every_epoch():
    shown = show(terminal=True)
    for part in ("epoch 1/2", "epoch 2/2", "64%", "loss 0.2500", "50.00%", "images/s"):
        assert part in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_every_epoch_leaves_a_line(terminal):
    assert show(terminal).count("test 0.1250, ") == 2


def test_without_a_terminal_there_are_those_lines_alone():
    lines = show(terminal=False).splitlines()
    assert len(lines) == 2
    assert lines[0] == "epoch 1/2  loss 0.2500, accuracy 50.00%  test 0.1250, 75.00%  2.0 s"
