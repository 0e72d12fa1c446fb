"""What a training reports, step by step and epoch by epoch."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """The state of an epoch after a step: loss and accuracy are averages over its images so far."""

    epoch: int  # from 1
    images: int
    loss: float
    accuracy: float


class Epoch(NamedTuple):
    """One pass over the training images, and the test after it, if there was one."""

    epoch: int  # from 1
    loss: float
    accuracy: float  # 0 to 1, while training
    test_loss: float | None  # where there was a test
    test_accuracy: float | None
    lr: float  # of the last step
    seconds: float  # of training and test
    images_per_second: float  # of training alone


class History(list[Epoch]):
    """The epochs so far; `interrupted` says that the training was stopped before its end."""

    interrupted = False
