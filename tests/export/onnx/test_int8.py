import logging
import os
import re
import sys
import tempfile

import numpy as np
import onnx
import pytest
from onnx_runtimes import cast, runtime, with_statistics

from minise import InputError, data, models, nn
from minise.export import Pixels, int8_model, onnx_model

SAMPLE = data.load("sample")
MEAN, STD = data.pixel_statistics(SAMPLE.train.images)
METADATA = {"model": "se-cnn", "mean": str(MEAN)}


@pytest.fixture(scope="module")
def both(net):
    """Its model, and the one of 8 bits."""
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD), metadata=METADATA)
    return model, int8_model(model, SAMPLE.train.images[:100])


def right(model, dtype=np.float32):
    """How many of the sample's test digits it reads."""
    scores = runtime(model, SAMPLE.test.images.astype(dtype))
    return int((scores.argmax(axis=1) == SAMPLE.test.labels).sum())


def test_a_model_of_8_bits_reads_as_many_digits_in_half_of_the_bytes(both):
    before, after = map(right, both)
    assert before > 1700
    assert abs(after - before) <= 12  # of 2,000: 0.6 points
    assert both[1].ByteSize() < 0.62 * both[0].ByteSize()


def test_its_weights_are_of_8_bits_and_its_operators_are_onnx_s_own(both):
    model = both[1]
    kinds = {"Conv", "Gemm"}
    of_float = [array for array in model.graph.initializer if array.data_type == 1]
    assert all(np.prod(array.dims) <= 1 for array in of_float)  # scales
    weights = [onnx.numpy_helper.to_array(a) for a in model.graph.initializer if a.data_type == 3]
    largest = [abs(w.astype(int)).max() for w in weights if w.ndim > 1]
    assert len(largest) == 7
    assert max(largest) <= 64  # 7 bits: see `int8_model`
    assert {node.domain for node in model.graph.node} == {""}
    assert kinds <= {node.op_type for node in model.graph.node}


def test_what_is_fed_what_it_gives_and_what_is_stored_stay(both):
    before, after = both
    for part in ("input", "output"):
        assert getattr(after.graph, part) == getattr(before.graph, part)
    assert {entry.key: entry.value for entry in after.metadata_props} == METADATA
    for name in ("producer_name", "producer_version", "ir_version", "opset_import"):
        assert getattr(after, name) == getattr(before, name)


def test_the_model_that_was_given_stays_and_nothing_else_changes(net, capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD))
    content, images = model.SerializeToString(), SAMPLE.train.images[:20]
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    first, again = (int8_model(model, images).SerializeToString() for _ in range(2))
    assert first == again
    assert model.SerializeToString() == content
    assert (list(root.handlers), root.level) == (handlers, level)
    assert capfd.readouterr() == ("", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("batch", "dtype"), [(1, np.float32), (7, np.float32), (None, np.uint8), (None, np.float32)]
)
def test_it_takes_the_batches_and_the_dtype_that_the_model_took(net, batch, dtype):
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD, dtype), batch=batch)
    small = int8_model(model, SAMPLE.train.images[:20])
    digits = SAMPLE.test.images[: batch or 50].astype(dtype)
    assert runtime(small, digits).shape == (len(digits), 10)
    scores, exact = runtime(small, digits), runtime(model, digits)
    assert abs(scores - exact).max() < 0.25 * abs(exact).max()


def test_a_net_of_residual_blocks_with_batch_norm_says_nearly_the_same():
    net = with_statistics(models.create("se-resnet8", seed=1))
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD))
    small = int8_model(model, SAMPLE.train.images[:20])
    digits = SAMPLE.test.images[:20].astype(np.float32)
    scores, exact = runtime(small, digits), runtime(model, digits)
    assert abs(scores - exact).max() < 0.25 * abs(exact).max()
    assert small.ByteSize() < 0.5 * model.ByteSize()


@pytest.mark.parametrize(
    ("count", "batch", "message"),
    [
        (0, None, "int8 with 0 images, expected at least 1"),
        (3, 4, "int8 with 3 images, expected at least 4"),
    ],
)
def test_too_few_images_are_one_clear_error(net, count, batch, message):
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD), batch=batch)
    with pytest.raises(InputError, match=message):
        int8_model(model, SAMPLE.train.images[:count])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (SAMPLE.train.images[:3, 0], r"images of shape (3, 28, 28), expected (N, 1, 28, 28)"),
        (SAMPLE.train.images[:3] / 255, "pixels from 0 to 1, expected 0 to 255"),
    ],
)
def test_images_that_give_no_ranges_are_one_clear_error(net, images, message):
    model = onnx_model(net, (1, 28, 28), pixels=Pixels(MEAN, STD))
    with pytest.raises(InputError, match=f"^export: int8 with {re.escape(message)}$"):
        int8_model(model, images)


def test_a_model_in_float64_is_refused():
    net = cast(nn.Sequential(nn.Conv2d(1, 2, 3)), np.float64)
    model = onnx_model(net, (1, 8, 8), pixels=None)
    with pytest.raises(InputError, match="this model computes in float64"):
        int8_model(model, np.zeros((1, 1, 8, 8)))


def test_without_onnxruntime_one_line_says_what_to_install(both, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    needs = "int8 needs the packages onnx and onnxruntime: python -m pip install onnx onnxruntime"
    with pytest.raises(InputError, match=re.escape(needs)):
        int8_model(both[0], SAMPLE.train.images[:1])
