"""What 8 bits change: accuracy, bytes, and the time of one image, in onnxruntime."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minise.arrays import Array

if TYPE_CHECKING:
    import onnx

AT_ONCE = 256  # images, where the model takes any number
WARM, TIMED = 20, 200  # runs


class Figures(NamedTuple):
    """What was found of one model."""

    accuracy: float
    bytes: int
    seconds: float  # of one image, on one thread: the median


def figures(model: onnx.ModelProto, images: Array, labels: Array) -> Figures:
    """Run the model on images as it takes them, (N, C, H, W), in onnxruntime."""
    session = _Session(model)
    said = np.concatenate(
        [session.scores(images, start).argmax(axis=1) for start in session.starts(images)]
    )[: len(labels)]
    accuracy = float((said == labels).mean())
    return Figures(accuracy, model.ByteSize(), session.seconds(images))


def what_it_changes(before: Figures, after: Figures) -> list[str]:
    """Both, and which is faster, in lines."""
    ratio = after.seconds / before.seconds
    word = "slower" if ratio > 1 else "faster"
    rows = (
        f"{name:7} {found.accuracy:10.2%} {found.bytes:12,} {1e3 * found.seconds:9.3f} ms"
        for name, found in (("float32", before), ("int8", after))
    )
    return [
        "          accuracy        bytes    one image",
        *rows,
        f"int8 is {word} here: {ratio:.1f} times float32's time (onnxruntime, one thread)",
        "for ONNX Runtime and OpenVINO: OpenCV computes int8 wrongly",
    ]


class _Session:
    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors alone
        self.run: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        ).run
        (value,) = model.graph.input
        self.name = value.name
        self.batch = value.type.tensor_type.shape.dim[0].dim_value  # 0 where it takes any number

    def starts(self, images: Array) -> range:
        return range(0, len(images), self.batch or AT_ONCE)

    def scores(self, images: Array, start: int) -> Array:
        """Those of a batch; the last one is filled up with the first images if it has to be."""
        stop = start + self.batch if self.batch else min(start + AT_ONCE, len(images))
        batch = images.take(range(start, stop), axis=0, mode="wrap")
        scores: Array = self.run(None, {self.name: batch})[0]
        return scores

    def seconds(self, images: Array) -> float:
        feed, times = {self.name: images[: self.batch or 1]}, []
        for _ in range(WARM + TIMED):
            start = time.perf_counter()
            self.run(None, feed)
            times.append(time.perf_counter() - start)
        return float(np.median(times[WARM:])) / (self.batch or 1)
