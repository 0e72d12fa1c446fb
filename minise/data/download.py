"""Downloading a file, with a bar in a terminal: EMNIST's has 560 MB."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

_log = logging.getLogger(__name__)


def download(url: str, path: Path) -> None:
    """Download the address to the file. Raises `OSError` where that fails."""
    import pooch

    _log.info("downloading %s", url)
    console = Console(stderr=True)
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        pooch.HTTPDownloader(timeout=30, progressbar=_Bar(bar))(url, str(path), None)


class _Bar:
    """Passes what pooch reports to a bar of rich."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.task = progress, progress.add_task("", total=None)

    @property
    def total(self) -> float | None:
        return self.progress.tasks[0].total

    @total.setter
    def total(self, bytes_in_all: int) -> None:
        self.progress.update(self.task, total=bytes_in_all or None)  # 0 where it is not known

    def update(self, count: int) -> None:
        self.progress.advance(self.task, count)

    def reset(self) -> None:
        self.progress.reset(self.task)

    def close(self) -> None:
        """`Progress` closes itself."""
