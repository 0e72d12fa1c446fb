"""Event files for TensorBoard, with the package tensorboardX."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from minise.errors import InputError
from minise.train.history import Epoch, Step
from minise.train.loop import Training
from minise.train.watcher import Watcher


def check_tensorboard() -> None:
    """Raises `InputError` where the package tensorboardX is missing."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise InputError(
            "--tensorboard needs the package tensorboardX: python -m pip install tensorboardX"
        ) from None


class EventFiles(Watcher):
    """Within a `with`, writes the course of a training into a folder that TensorBoard reads.

    Pass it to the training as one of its `watchers`. What a stopped run wrote beyond the point
    where it resumes is not shown. Raises `InputError` where tensorboardX is not installed,
    or the folder cannot be written to.
    """

    def __init__(self, folder: Path, training: Training) -> None:
        check_tensorboard()
        from tensorboardX import SummaryWriter

        self.training = training
        try:
            self._writer = SummaryWriter(str(folder), purge_step=self.training.all_steps + 1)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    def on_step(self, step: Step) -> None:
        """The mean loss of the epoch so far, and the learning rate."""
        self._writer.add_scalar("step/loss", step.loss, self.training.all_steps)
        self._writer.add_scalar("step/lr", self.training.optimizer.lr, self.training.all_steps)

    def on_epoch(self, epoch: Epoch) -> None:
        """Loss and accuracy, in training and in the test."""
        for name in ("loss", "accuracy", "test_loss", "test_accuracy"):
            value = getattr(epoch, name)
            if value is not None:
                self._writer.add_scalar(f"epoch/{name}", value, self.training.all_steps)
        self._writer.flush()
