import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from minise.train import Epoch, Step
from minise.train.progress import EpochProgress

STEPS = [  # of 10 images; and the seconds when they are told
    (10.0, Step(9, 4, 1.5, 0.25)), (12.0, Step(9, 8, 1.25, 0.375)), (12.5, Step(9, 10, 1.0, 0.5)),
    (90.0, Step(10, 5, 0.75, 1.0)), (90.001, Step(10, 10, 0.625, 0.875)),
]  # fmt: skip
EPOCH = Epoch(9, 1.0, 0.625, 0.125, 0.875, 0.1, 2.0, 4000.0)
LINE = "epoch  9/12  loss 1.0000, accuracy 62.50%  test 0.1250, 87.50%  2.0 s\n"


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr("minise.train.progress.time", clock)
    return clock


def bars(clock, width):
    """The bar after each step, up to the time that is left."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    with EpochProgress(console, epochs=12, images=10) as progress:
        for clock.now, step in STEPS:
            progress.on_step(step)
            paper = Console(
                file=io.StringIO(), width=width, color_system=None, legacy_windows=False
            )
            paper.print(progress.bar.get_renderable())
            yield " ".join(paper.file.getvalue().split()[:-1]).replace("━", "-").replace("╸", " ")


def test_the_bar_shows_the_state_of_the_epoch_after_each_step(clock):
    # images are counted from the first step told, and so is the time
    assert list(bars(clock, 80)) == [
        "epoch 9/12 ---- 40% loss 1.5000 accuracy 25.00% 0 images/s",
        "epoch 9/12 -------- 80% loss 1.2500 accuracy 37.50% 2 images/s",  # 4 in 2 s
        "epoch 9/12 ---------- 100% loss 1.0000 accuracy 50.00% 2 images/s",  # 6 in 2.5 s
        "epoch 10/12 ----- 50% loss 0.7500 accuracy 100.00% 0 images/s",
        "epoch 10/12 ---------- 100% loss 0.6250 accuracy 87.50% 5,000 images/s",
    ]


def test_the_speed_is_left_out_where_there_is_no_room(clock):
    shown = list(bars(clock, 79))
    assert shown[3] == "epoch 10/12 ----- 50% loss 0.7500 accuracy 100.00%"


@pytest.mark.parametrize("terminal", [True, False])
def test_every_epoch_leaves_a_line_and_without_a_terminal_nothing_else(terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100, color_system=None)
    with EpochProgress(console, epochs=12, images=10) as progress:
        progress.on_step(STEPS[0][1])
        progress.on_epoch(EPOCH)
        progress.on_epoch(EPOCH._replace(epoch=10, test_loss=None, test_accuracy=None))
    untested = "epoch 10/12  loss 1.0000, accuracy 62.50%  2.0 s\n"
    if terminal:
        assert LINE in screen.getvalue()
        assert untested in screen.getvalue()
    else:
        assert screen.getvalue() == LINE + untested
