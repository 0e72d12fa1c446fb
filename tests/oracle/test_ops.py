"""Operations over all their options, against PyTorch's."""

import itertools
from functools import partial

import numpy as np
import pytest

from minise import SEBlock, ops

pytestmark = pytest.mark.usefixtures("each_backend")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def compare(torch, operation, backward, theirs, *arrays):
    """Forward, and backward of a random cotangent, to 1e-12."""
    y, saved = operation(*arrays)
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    ty = theirs(*tensors)
    np.testing.assert_allclose(y, ty.detach().numpy(), rtol=1e-12, atol=1e-12)
    dy = np.random.default_rng(0).standard_normal(y.shape)
    ty.backward(torch.tensor(dy))
    gradients = backward(dy, saved)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for ours, tensor in zip(gradients, tensors, strict=False):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
@pytest.mark.parametrize(
    ("stride", "padding"), list(itertools.product([1, 2, (3, 1)], [0, 1, (2, 5)]))
)
def test_conv2d(torch, rng, stride, padding, dilation, groups):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = [rng.standard_normal(s) for s in [(2, 4, 9, 8), (6, 4 // groups, 3, 2), (6,)]]
    theirs = partial(torch.nn.functional.conv2d, **options)
    compare(torch, partial(ops.conv2d, **options), ops.conv2d_backward, theirs, *arrays)


POOLINGS = [
    {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": c}
    for k, s, p, c in itertools.product([2, 3, (3, 2)], [1, 2, (3, 2)], [0, 1], [False, True])
]


@pytest.mark.parametrize("options", POOLINGS)
def test_max_pool2d(torch, rng, options):
    x = rng.standard_normal((2, 3, 8, 7))
    theirs = partial(torch.nn.functional.max_pool2d, **options)
    compare(torch, partial(ops.max_pool2d, **options), ops.max_pool2d_backward, theirs, x)


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("options", POOLINGS)
def test_avg_pool2d(torch, rng, options, count_include_pad):
    options = {**options, "count_include_pad": count_include_pad}
    x = rng.standard_normal((2, 3, 8, 7))
    theirs = partial(torch.nn.functional.avg_pool2d, **options)
    compare(torch, partial(ops.avg_pool2d, **options), ops.avg_pool2d_backward, theirs, x)


def test_pooling_gives_ties_to_the_same_pixel_as_pytorch(torch, rng):
    x = rng.integers(0, 3, (4, 2, 8, 8)).astype(float)
    theirs = partial(torch.nn.functional.max_pool2d, kernel_size=3, stride=2, padding=1)
    ours = partial(ops.max_pool2d, kernel_size=3, stride=2, padding=1)
    compare(torch, ours, ops.max_pool2d_backward, theirs, x)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations(torch, rng, name):
    x = np.concatenate([rng.standard_normal(20), [0.0, -800.0, 800.0]])
    operation, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
    compare(torch, operation, backward, getattr(torch, name), x)


def hard_sigmoid(torch):
    """PyTorch's own multiplies by a sixth in float32, even for float64 (2.13)."""
    return lambda x: torch.nn.functional.relu6(x + 3) / 6


def test_hard_sigmoid(torch, rng):
    x = np.concatenate([rng.standard_normal(20) * 3, [-3.0, 0.0, 3.0]])
    theirs = hard_sigmoid(torch)
    compare(torch, ops.hard_sigmoid, ops.hard_sigmoid_backward, theirs, x)


def test_linear(torch, rng):
    arrays = [rng.standard_normal(s) for s in [(4, 5), (3, 5), (3,)]]
    compare(torch, ops.linear, ops.linear_backward, torch.nn.functional.linear, *arrays)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
def test_softmax_cross_entropy(torch, rng, label_smoothing):
    labels = rng.integers(0, 5, 6)
    compare(
        torch,
        partial(ops.softmax_cross_entropy, labels=labels, label_smoothing=label_smoothing),
        ops.softmax_cross_entropy_backward,
        partial(
            torch.nn.functional.cross_entropy,
            target=torch.tensor(labels),
            label_smoothing=label_smoothing,
        ),
        rng.standard_normal((6, 5)),
    )


def test_batch_norm(torch, rng):
    x, w, b = rng.standard_normal((4, 3, 5, 6)), rng.standard_normal(3), rng.standard_normal(3)
    mean, var = rng.standard_normal(3), rng.uniform(0.5, 2, 3)
    normalise = torch.nn.functional.batch_norm

    def training(x, w, b):
        return normalise(x, None, None, w, b, training=True)

    def evaluation(x, w, b):
        return normalise(x, torch.tensor(mean), torch.tensor(var), w, b)

    compare(torch, ops.batch_norm, ops.batch_norm_backward, training, x, w, b)
    with_statistics = partial(ops.batch_norm, statistics=(mean, var))
    compare(torch, with_statistics, ops.batch_norm_backward, evaluation, x, w, b)


@pytest.mark.parametrize("squeeze", ["avg", "max"])
@pytest.mark.parametrize("gate", ["sigmoid", "tanh", "relu", "hard_sigmoid"])
def test_the_se_block_with_every_squeeze_and_gate(torch, rng, squeeze, gate):
    from minise.bench.pytorch_nets import SEBlock as TorchSEBlock

    function = hard_sigmoid(torch) if gate == "hard_sigmoid" else getattr(torch, gate)
    theirs = TorchSEBlock(6, 2, squeeze, function).double()
    ours = SEBlock(6, 2, squeeze=squeeze, gate=gate, dtype=np.float64)
    ours.load_state_dict({n: t.numpy() for n, t in theirs.state_dict().items()})
    compare(
        torch,
        ours.forward,
        lambda dy, backward: backward(dy),
        theirs,
        rng.standard_normal((3, 6, 5, 4)),
    )
