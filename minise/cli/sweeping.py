"""What a sweep shows while it runs: its workers in a terminal, a line for each point that ended.

All is read from the folder, so it does not matter who trains a point, and on which machine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from minise.cli.say import show, tell
from minise.cli.terminal import OutputError
from minise.runs.comparisons import differing_settings, in_words, with_short_paths
from minise.sweep import Estimate, Point, State, Sweep
from minise.sweep.estimate import epochs_left, together
from minise.sweep.point import ENDED, Progress

BAR = 20
SILENT = 60  # seconds without a sign of life that are told
EVERY = 0.5  # seconds between two looks at the folder


class Words:
    """Points in a few words: the model, and what differs between them."""

    def __init__(self, points: Sequence[Point]) -> None:
        configs = [point.config for point in points]
        short = with_short_paths(configs)
        self._data = {c.data: s.data for c, s in zip(configs, short, strict=True)}
        self._names = [name for name in differing_settings(short) if name != "model"]
        self.width = max(len(self.of(point)) for point in points)

    def of(self, point: Point) -> str:
        """As in "se-resnet8 reduction=4 seed=0"."""
        config = point.config._replace(data=self._data[point.config.data])
        return in_words(config, self._names)


class Sweeping:
    """Within a `with`, shows how far a sweep is. Ctrl-C stops it after the workers' steps."""

    def __init__(
        self, console: Console, sweep: Sweep, words: Words, estimate: Estimate, workers: int
    ) -> None:
        self.console, self.sweep, self.words, self.workers = console, sweep, words, workers
        self._closed: OutputError | None = None  # nobody reads what it prints
        self._began, self._looked = time.monotonic(), 0.0
        self._reading, self._stopping = threading.Lock(), False
        self._names = [point.name for point in sweep.points]
        self._states = sweep.states()
        self._told = [state in ENDED for state in self._states]
        self._epochs, self._seconds = [], []  # that were left at the beginning
        for point, state in zip(sweep.points, self._states, strict=True):
            epochs = epochs_left(point, state, sweep.folder)
            self._epochs.append(epochs)
            self._seconds.append(estimate.seconds(point, epochs) if epochs else 0.0)
        self._live = Live(
            get_renderable=self._drawn,
            console=console,
            refresh_per_second=2,
            transient=True,
        )
        self._stack = ExitStack()

    def __enter__(self) -> Sweeping:
        if self.console.is_terminal:
            self._stack.enter_context(self._live)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._looked = 0.0
                self.update()
        finally:
            self._stack.close()
        if self._closed is not None and kind is None:
            raise self._closed

    def update(self) -> None:
        """Leave a line for each point that has ended since."""
        self._look()
        if self.sweep.asked_to_stop and not self._stopping:
            self._stopping = True
            if not self.console.is_terminal:
                tell("minise: stopping, as soon as each worker has done and saved its step")
        for k, state in enumerate(self._states):
            if state in ENDED and not self._told[k] and self._closed is None:
                self._told[k] = True
                try:
                    show(self.console, self._line(self.sweep.points[k], state))
                except OutputError as error:
                    self._closed = error
                    self.sweep.stop()

    def _line(self, point: Point, state: State) -> str:
        """About one that has ended."""
        room = max(0, min(self.words.width, self.console.width - 22))
        words = f"{self.words.of(point):<{room}}"
        if state is State.FAILED:
            return f"{words}  failed: {point.failure(self.sweep.folder)}"
        result = point.result(self.sweep.folder)
        test, seconds = result.get("test_accuracy"), result.get("seconds")
        told = "" if test is None else f"test {test:.2%}"
        return f"{words}  {told:<11}  {'' if seconds is None else duration(seconds)}".rstrip()

    def _look(self) -> None:
        """Read how far the points are that had not ended."""
        folder = self.sweep.folder
        with self._reading:
            if time.monotonic() - self._looked > EVERY:
                begun = set(os.listdir(folder)) if folder.exists() else set()
                for k, state in enumerate(self._states):
                    if state not in ENDED and self._names[k] in begun:
                        self._states[k] = self.sweep.points[k].state(folder)
                self._looked = time.monotonic()

    def to_go(self) -> float:
        """Seconds until all is done, from the steps measured before and the time since."""
        left = [s * self._part_left(k) for k, s in enumerate(self._seconds)]
        done = sum(self._seconds) - sum(left)
        # as if one point for each worker had been done as estimated: a calm beginning
        usual = self.workers * max(self._seconds, default=0.0)
        spent = self.workers * (time.monotonic() - self._began)
        slower = (spent + usual) / (done + usual) if usual else 1.0
        return slower * together(left, self.workers)

    def _part_left(self, k: int) -> float:
        """Of what was left of a point at the beginning, 0 to 1."""
        if self._states[k] in ENDED or not self._epochs[k]:
            return 0.0
        progress = self._progress(k)
        if progress is None or not progress.epochs:
            return 1.0
        epochs = progress.epochs - max(0, progress.epoch - 1) - progress.share
        return min(1.0, max(0.0, epochs / self._epochs[k]))

    def _progress(self, k: int) -> Progress | None:
        """What the process says that trains a point; None where none does."""
        if self._states[k] is not State.RUNNING:
            return None
        return self.sweep.points[k].progress(self.sweep.folder)

    def _drawn(self) -> RenderableType:
        """What a terminal shows: one line about all, and one for each point that runs."""
        self._look()
        running = [k for k, state in enumerate(self._states) if state is State.RUNNING]
        room = max(1, self.console.height - 4)
        shown = running if len(running) <= room else running[: room - 1]
        lines: list[RenderableType] = [self._of_all()]
        if shown:
            lines.append(self._of_each(shown))
        if more := len(running) - len(shown):
            lines.append(Text(f"… and {more} more"))
        return Group(*lines)

    def _of_all(self) -> RenderableType:
        states = self._states
        failed = states.count(State.FAILED)
        told = f"{states.count(State.DONE):,}/{len(states):,} done"
        told += f", {failed:,} failed" if failed else ""
        told += "  stopping …" if self.sweep.asked_to_stop else f"  {duration(self.to_go())} to go"
        row = Table.grid(padding=(0, 1))
        ended = sum(state in ENDED for state in states)
        if self.console.width >= 60:
            row.add_row(ProgressBar(len(states), ended, width=BAR), Text(told))
        else:
            row.add_row(Text(told, no_wrap=True, overflow="ellipsis"))
        return row

    def _of_each(self, running: Sequence[int]) -> RenderableType:
        """A table of those that run: their words, epoch, accuracy so far, and how much is done."""
        rows: list[tuple[Point, str, str, float | None]] = []
        for k in running:
            found, point = self._progress(k), self.sweep.points[k]
            if found is None:  # it has begun, or ended, at this moment
                rows.append((point, "", "", None))
            elif found.silent > SILENT:
                rows.append((point, "silent", duration(found.silent), None))
            else:
                accuracy = "" if found.accuracy is None else f"{found.accuracy:.1%}"
                done = max(0.0, found.epoch - 1 + found.share) / max(1, found.epochs)
                rows.append((point, f"{found.epoch}/{found.epochs}", accuracy, done))
        wide = max(len(epoch) for _, epoch, _, _ in rows) + 10
        bars = self.words.width + wide + BAR // 2 + 2 <= self.console.width
        room = max(10, self.console.width - wide)
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, justify="right")
        for point, epoch, accuracy, share in rows:
            bar: list[RenderableType] = []
            if bars and share is not None:
                bar.append(ProgressBar(1.0, share, width=BAR // 2))
            table.add_row(Text(middle(self.words.of(point), room)), epoch, accuracy, *bar)
        return table


def middle(text: str, width: int) -> str:
    """The text; where it is too wide, its beginning and its end."""
    if len(text) <= width:
        return text
    begin = (width - 1) // 2
    return f"{text[:begin]}…{text[len(text) - (width - 1 - begin) :]}"


def duration(seconds: float) -> str:
    """As in "31 s", "14 min" or "2 h 10 min"."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    return f"{round(seconds / 86400):,} days"
