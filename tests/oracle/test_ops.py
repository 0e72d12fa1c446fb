"""Every operation over all its options, against PyTorch's: outputs and gradients."""

from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    BATCHES,
    DTYPES,
    arrays,
    arrays_like,
    arrays_NCHW,
    conv_cases,
    normal_arrays,
    pool_cases,
    shapes_NCHW,
)

from minise import ops

pytestmark = pytest.mark.usefixtures("each_backend", "kernels_for_few_numbers")

IMAGES = DTYPES.flatmap(arrays_NCHW)


@pytest.fixture
def compare(torch):
    """Compare an operation of minise, forward and backward, with a function of tensors."""

    def compare(name, theirs, arrays, dy=None, **options):
        arrays = [array for array in arrays if array is not None]
        y, saved = getattr(ops, name)(*arrays, **options)
        tensors = [torch.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
        ty = theirs(*tensors)
        assert_close(y, ty.detach().numpy())
        dy = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype) if dy is None else dy
        ty.backward(torch.tensor(dy))
        gradients = getattr(ops, f"{name}_backward")(dy, saved)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        for gradient, tensor in zip(gradients, tensors, strict=False):
            assert_close(gradient, tensor.grad.numpy())

    return compare


@given(case=DTYPES.flatmap(conv_cases))
def test_conv2d(torch, compare, case):
    theirs = partial(torch.nn.functional.conv2d, **case.options)
    compare("conv2d", theirs, case[:3], case.dy, **case.options)


@given(case=DTYPES.flatmap(pool_cases))
def test_max_pool2d(torch, compare, case):
    theirs = partial(torch.nn.functional.max_pool2d, **case.options)
    compare("max_pool2d", theirs, [case.x], case.dy, **case.options)


@given(case=DTYPES.flatmap(pool_cases), include=st.booleans())
def test_avg_pool2d(torch, compare, case, include):
    options = {**case.options, "count_include_pad": include}
    theirs = partial(torch.nn.functional.avg_pool2d, **options)
    compare("avg_pool2d", theirs, [case.x], case.dy, **options)


@given(x=IMAGES)
def test_global_avg_pool(compare, x):
    compare("global_avg_pool", lambda t: t.mean(dim=(2, 3)), [x])


@given(x=IMAGES)
def test_global_max_pool(torch, compare, x):
    theirs = torch.nn.functional.adaptive_max_pool2d
    compare("global_max_pool", lambda t: theirs(t, 1).flatten(1), [x])


@given(x=IMAGES, scale=st.sampled_from([1, 800]))
def test_relu(torch, compare, x, scale):
    compare("relu", torch.relu, [scale * x])


@given(x=IMAGES, scale=st.sampled_from([1, 800]))
def test_sigmoid(torch, compare, x, scale):
    compare("sigmoid", torch.sigmoid, [scale * x])


@given(x=IMAGES, scale=st.sampled_from([1, 800]))
def test_tanh(torch, compare, x, scale):
    compare("tanh", torch.tanh, [scale * x])


@given(x=IMAGES, scale=st.sampled_from([1, 3, 800]))
def test_hard_sigmoid(compare, hard_sigmoid, x, scale):
    compare("hard_sigmoid", hard_sigmoid, [scale * x])


@given(data=st.data(), dtype=DTYPES, sizes=st.tuples(BATCHES, st.integers(1, 6), st.integers(1, 6)))
def test_linear(torch, compare, data, dtype, sizes):
    N, inputs, outputs = sizes
    x, w, b = (data.draw(arrays(s, dtype)) for s in [(N, inputs), (outputs, inputs), (outputs,)])
    compare("linear", torch.nn.functional.linear, [x, w, b if data.draw(st.booleans()) else None])


@given(data=st.data(), x=IMAGES)
def test_add(torch, compare, data, x):
    compare("add", torch.add, [x, data.draw(arrays_like(x))])


@given(data=st.data(), x=IMAGES)
def test_channel_scale(compare, data, x):
    s = data.draw(arrays(x.shape[:2], x.dtype))
    compare("channel_scale", lambda x, s: x * s[:, :, None, None], [x, s])


@given(data=st.data(), x=DTYPES.flatmap(arrays_NCHW), shared=st.booleans())
def test_multiply(compare, data, x, shared):
    s = data.draw(arrays((len(x), 1 if shared else x.shape[1], *x.shape[2:]), x.dtype))
    compare("multiply", lambda x, s: x * s, [x, s])


@given(data=st.data(), x=arrays_NCHW())  # float32 may fall on the other side of the relu's 0
def test_scale_add_relu(compare, data, x):
    s, r = data.draw(arrays(x.shape[:2], x.dtype)), data.draw(arrays_like(x))
    compare("scale_add_relu", lambda x, s, r: (x * s[:, :, None, None] + r).relu(), [x, s, r])


@given(data=st.data(), x=IMAGES, others=st.integers(0, 2))
def test_concat(torch, compare, data, x, others):
    joined = [x, *(data.draw(arrays_like(x)) for _ in range(others))]
    compare("concat", lambda *tensors: torch.cat(tensors, dim=1), joined)


@st.composite
def norm_cases(draw, dtype):
    """x, w, b, and a mean and a variance or nothing."""
    x = draw(shapes_NCHW(N=st.integers(4, 19)).flatmap(lambda s: normal_arrays(s, dtype)))
    w, b, mean, var = (draw(normal_arrays(x.shape[1:2], dtype)) for _ in range(4))
    return x, w, b, (mean, np.abs(var) + 1) if draw(st.booleans()) else None


@given(case=DTYPES.flatmap(norm_cases))
def test_batch_norm(torch, compare, case):
    *arrays, statistics = case
    compare("batch_norm", batch_norm(torch, statistics), arrays, statistics=statistics)


@given(case=norm_cases(np.float64))  # float32 may fall on the other side of the relu's 0
def test_batch_norm_relu(torch, compare, case):
    *arrays, statistics = case
    theirs = batch_norm(torch, statistics)
    compare("batch_norm_relu", lambda *t: theirs(*t).relu(), arrays, statistics=statistics)


def batch_norm(torch, statistics):
    mean, var = (None, None) if statistics is None else map(torch.tensor, statistics)
    normalise = torch.nn.functional.batch_norm
    return lambda x, w, b: normalise(x, mean, var, w, b, training=statistics is None)


@given(data=st.data(), dtype=DTYPES, N=st.integers(1, 6), K=st.integers(1, 6))
def test_softmax_cross_entropy(torch, compare, data, dtype, N, K):
    scores = data.draw(arrays((N, K), dtype))
    labels = np.array(data.draw(st.lists(st.integers(0, K - 1), min_size=N, max_size=N)))
    options = {"label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0]))}
    theirs = partial(torch.nn.functional.cross_entropy, **options)
    compare("softmax_cross_entropy", theirs, [scores, labels], **options)


def test_every_operation_has_a_test_of_its_name_here():
    operations = {name for name in ops.__all__ if f"{name}_backward" in ops.__all__}
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert operations
    assert operations <= tested
