import numpy as np
import pytest

from minise import InputError, train
from minise.nn import Parameter


def parameters():
    rng = np.random.default_rng(0)
    found = [Parameter(rng.standard_normal(shape)) for shape in [(3, 4), (4,), (2, 3, 2, 2)]]
    for parameter in found:
        parameter.grad[...] = rng.standard_normal(parameter.value.shape)
    return found


SETTINGS = [
    (train.SGD, "SGD", {"lr": 0.1}),
    (train.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (train.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (train.AdamW, "AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    (train.AdamW, "AdamW", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.0}),
]


@pytest.mark.parametrize(("ours", "theirs", "options"), SETTINGS)
def test_steps_are_those_of_pytorch(ours, theirs, options):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine = parameters()
    tensors = [torch.tensor(p.value, requires_grad=True) for p in mine]
    judge = getattr(torch.optim, theirs)(
        [
            {"params": [t for t in tensors if t.ndim > 1]},
            {"params": [t for t in tensors if t.ndim == 1], "weight_decay": 0.0},
        ],
        **options,
    )
    optimizer = ours(mine, **options)
    rng = np.random.default_rng(1)
    for _ in range(5):
        for parameter, tensor in zip(mine, tensors, strict=True):
            parameter.grad[...] = rng.standard_normal(parameter.value.shape)
            tensor.grad = torch.tensor(parameter.grad)
        optimizer.step()
        judge.step()
    for parameter, tensor in zip(mine, tensors, strict=True):
        np.testing.assert_allclose(parameter.value, tensor.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("make", [train.SGD, train.AdamW])
def test_biases_do_not_decay(make):
    found = parameters()
    for parameter in found:
        parameter.grad[...] = 0
    before = [parameter.value.copy() for parameter in found]
    make(found, lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(found[0].value, before[0] * 0.95)
    np.testing.assert_array_equal(found[1].value, before[1])
    np.testing.assert_allclose(found[2].value, before[2] * 0.95)


@pytest.mark.parametrize("make", [train.SGD, train.AdamW])
def test_float32_stays_float32_and_gradients_are_left_alone(make):
    parameter = Parameter(np.ones((2, 2), np.float32))
    parameter.grad[...] = 1
    make([parameter], lr=np.float64(0.1), weight_decay=0.1).step()
    assert parameter.value.dtype == np.float32
    assert (parameter.grad == 1).all()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (train.SGD, {"lr": -1}, "lr -1"),
        (train.SGD, {"lr": float("nan")}, "lr nan"),
        (train.SGD, {"lr": 1, "momentum": 1.0}, r"momentum 1\.0"),
        (train.SGD, {"lr": 1, "nesterov": True}, "above 0 for nesterov"),
        (train.AdamW, {"lr": 1, "betas": (0.9, 1.0)}, "betas"),
    ],
)
def test_bad_settings_are_refused(make, options, message):
    with pytest.raises(InputError, match=message):
        make(parameters(), **options)
    with pytest.raises(InputError, match="no parameters"):
        make([], lr=1)
