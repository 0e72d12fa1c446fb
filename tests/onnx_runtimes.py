"""What two runtimes, each by other people, make of an ONNX model."""

from types import MappingProxyType

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator

TOLERANCE = 1e-5  # of the largest output


def reference(model, x):
    """ONNX's own: each operator in NumPy."""
    (y,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x})
    return y


def runtime(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(["scores"], {model.graph.input[0].name: x})
    return y


RUNTIMES = MappingProxyType({"reference": reference, "onnxruntime": runtime})


def assert_says_the_same(model, net, x, runtimes=RUNTIMES, tolerance=TOLERANCE):
    """The model and the net give the same for x, in the same dtype."""
    expected = net(x)
    for name in runtimes:
        y = RUNTIMES[name](model, np.ascontiguousarray(x))
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype), name
        allowed = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(y, expected, rtol=0, atol=allowed, err_msg=name)


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
