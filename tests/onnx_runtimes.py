"""What three runtimes, each by other people, make of an ONNX model."""

from types import MappingProxyType

import cv2
import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

TOLERANCE = 1e-5  # of the largest output


def reference(model):
    """ONNX's own: each operator in NumPy."""
    evaluator = ReferenceEvaluator(model)
    return lambda x: evaluator.run(None, {model.graph.input[0].name: x})[0]


def runtime(model, x):
    return session(model)(x)


def session(model):
    """Of onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    loaded = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: loaded.run(["scores"], {model.graph.input[0].name: x})[0]


def opencv(model):
    """It knows the fewest forms of the three, and some it gets wrong at the second batch alone."""
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))

    def run(x):
        net.setInput(x)
        return net.forward()

    return run


RUNTIMES = MappingProxyType({"reference": reference, "onnxruntime": session, "OpenCV": opencv})


def assert_says_the_same(model, net, *batches, runtimes=RUNTIMES, tolerance=TOLERANCE):
    """The model and the net give the same for each batch, in the same dtype.

    It is loaded once for all: a runtime may set itself up for the first batch that it meets.
    """
    expected = [net(x) for x in batches]
    for name in runtimes:
        run = RUNTIMES[name](model)
        for x, scores in zip(batches, expected, strict=True):
            y = run(np.ascontiguousarray(x))
            assert (y.shape, y.dtype) == (scores.shape, scores.dtype), name
            allowed = tolerance * np.abs(scores).max()
            np.testing.assert_allclose(y, scores, rtol=0, atol=allowed, err_msg=name)


def cast(net, dtype):
    """Every array of the net's state in another dtype."""
    for _, entry in net.named_state():
        entry.value = entry.value.astype(dtype)
    return net


def with_statistics(net, seed=0):
    """Running averages as of a trained net: neither 0 nor 1, which could hide a mistake."""
    rng = np.random.default_rng(seed)
    for name, entry in net.named_state():
        if name.endswith("running_mean"):
            entry.value[...] = rng.normal(0, 0.2, entry.value.shape)
        if name.endswith("running_var"):
            entry.value[...] = rng.uniform(0.5, 2, entry.value.shape)
    return net
