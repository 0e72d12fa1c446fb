"""The folder of a run: metrics while it goes on, the weights, and two pictures."""

from __future__ import annotations

import json
from pathlib import Path

from minise.backend import Array
from minise.data import Split
from minise.errors import InputError
from minise.files import write_whole
from minise.nn import Layer
from minise.train import pictures
from minise.train.loop import Epoch
from minise.train.weights import About, load_weights, save_weights

WEIGHTS, METRICS = "model.safetensors", "metrics.jsonl"
CURVES, MISTAKES = "curves.png", "mistakes.png"


class Run:
    """Writes into a folder of its own, which must be new or empty.

    Within a `with`; a folder that nothing was written to is taken away again. Raises `InputError`
    where the folder holds files, or cannot be made or written to.
    """

    def __init__(self, folder: Path, net: Layer, about: About) -> None:
        self.folder, self.net, self.about = folder, net, about
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InputError(f"{folder}: holds files already; a run wants a folder of its own")
            (folder / METRICS).touch()  # now, and not after an epoch of work
            (folder / METRICS).unlink()
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def on_epoch(self, epoch: Epoch) -> None:
        """Add the epoch to the metrics, and save the weights as they are."""
        metrics = self.folder / METRICS
        try:
            with metrics.open("a") as file:
                file.write(json.dumps(epoch._asdict()) + "\n")
        except OSError as error:
            raise InputError(f"{metrics}: cannot be written: {error.strerror}") from None
        save_weights(self.folder / WEIGHTS, self.net, self.about)

    def finish(self, history: list[Epoch], test: Split, probabilities: Array) -> None:
        """Draw the curves of training, and the test images that came out wrong."""
        write_whole(self.folder / CURVES, pictures.curves(history))
        write_whole(self.folder / MISTAKES, pictures.mistakes(test, probabilities))

    def files(self) -> dict[str, Path]:
        """What has been written, by what it is."""
        names = {"weights": WEIGHTS, "metrics": METRICS, "curves": CURVES, "mistakes": MISTAKES}
        paths = {what: self.folder / name for what, name in names.items()}
        return {what: path for what, path in paths.items() if path.exists()}


def next_folder(model: str, parent: Path = Path("runs")) -> Path:
    """The first of runs/<model>-1, -2, … that is not there yet."""
    number = 1
    while (parent / f"{model}-{number}").exists():
        number += 1
    return parent / f"{model}-{number}"


def load_run(path: Path) -> tuple[Layer, About]:
    """The net of a run's folder, or of a file of weights."""
    return load_weights(path / WEIGHTS if path.is_dir() else path)
