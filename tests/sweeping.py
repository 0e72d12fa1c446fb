"""Small sweeps for tests."""

import json
import time
from contextlib import contextmanager
from unittest import mock

import numpy as np

from minise import data
from minise.runs import Config
from minise.runs.lock import locked
from minise.runs.run import METRICS
from minise.sweep.images import images_of
from minise.sweep.point import RESULT, Point
from minise.sweep.work import Work

DRIVER = ".driver-test"


def leave_images(path):
    """A few images to learn from."""
    sample = data.load("sample")
    images, labels = sample.train.images[:240, 0], sample.train.labels[:240]
    test = {"x_test": sample.test.images[:50, 0], "y_test": sample.test.labels[:50]}
    np.savez(path, x_train=images, y_train=labels, **test)
    return path


def config(images, **options):
    return Config(**({"data": str(images), "epochs": 2, "batch_size": 60} | options))


def point(images, **options):
    return Point(config(images, **options), images_of(str(images)).fingerprint)


@contextmanager
def working(sweep, **options):
    """What the process that runs a sweep asks of its workers, while it runs."""
    sweep.mkdir(exist_ok=True)
    with locked(sweep / DRIVER) as lock:
        yield Work(sweep, DRIVER, **options), lock


def epochs_done(sweep, point):
    """How many epochs of a point are behind it."""
    metrics = sweep / point.name / METRICS
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def found(sweep, point):
    """What a point's result says that follows from its configuration."""
    told = json.loads((sweep / point.name / RESULT).read_text(encoding="utf-8"))
    return {name: told[name] for name in ("test_accuracy", "test_loss", "train_accuracy", "gates")}


def waiting(kind, go):
    """A `kind` of task whose trainings wait in their third epoch until there is the file `go`.

    So something can be done to its process meanwhile, however slow the machine is.
    """

    class Waiting(kind):  # local, so that it is taken along to a process that has no tests
        def __call__(self, point):
            from minise.sweep import work

            on_step = work.Signs.on_step

            def wait(signs, step):
                on_step(signs, step)
                while step.epoch == 3 and not go.exists():
                    time.sleep(0.01)

            with mock.patch.object(work.Signs, "on_step", wait), mock.patch.object(work, "LOOK", 0):
                return super().__call__(point)

    return Waiting
