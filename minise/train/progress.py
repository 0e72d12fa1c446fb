"""What a training shows: a bar per epoch in a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from minise.train.history import Epoch, Step
from minise.train.watcher import Watcher


class EpochProgress(Watcher):
    """Within a `with`, shows how far the epoch has got, and leaves a line for each one done."""

    def __init__(self, console: Console, epochs: int, images: int) -> None:
        self.console, self.epochs, self.images = console, epochs, images
        self.epoch, self.first, self.began = 0, 0, 0.0
        speed = [TextColumn("{task.fields[speed]:,.0f} images/s")] if console.width >= 80 else []
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=10),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("accuracy {task.fields[accuracy]:.2%}"),
            *speed,
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(
            "training", total=images, start=False, epoch="", loss=0.0, accuracy=0.0, speed=0.0
        )

    def __enter__(self) -> EpochProgress:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:  # rich before 14.3 prints an empty line elsewhere
            self.bar.stop()

    def on_step(self, step: Step) -> None:
        """Move the bar."""
        if not self.console.is_terminal:
            return
        now = time.perf_counter()
        if step.epoch != self.epoch:
            # the speed is that since the first step told: nobody says when that one began
            self.epoch, self.first, self.began = step.epoch, step.images, now
            self.bar.reset(self.task)
        self.bar.update(
            self.task,
            completed=step.images,
            epoch=self._number(step.epoch),
            loss=step.loss,
            accuracy=step.accuracy,
            speed=(step.images - self.first) / max(1e-9, now - self.began),
        )

    def on_epoch(self, epoch: Epoch) -> None:
        """Leave one line about the epoch."""
        test = ""
        if epoch.test_accuracy is not None:
            test = f"test {epoch.test_loss:.4f}, [bold]{epoch.test_accuracy:.2%}[/]  "
        self.console.print(
            f"epoch {self._number(epoch.epoch)}  "
            f"loss {epoch.loss:.4f}, accuracy {epoch.accuracy:.2%}  {test}{epoch.seconds:.1f} s",
            highlight=False,
            soft_wrap=not self.console.is_terminal,  # a file has a line for each epoch
        )

    def _number(self, epoch: int) -> str:
        return f"{epoch:>{len(str(self.epochs))}}/{self.epochs}"
