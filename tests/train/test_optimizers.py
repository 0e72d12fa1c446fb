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


def decoupled(*updates, lr, weight_decay):
    """w after each step: it loses its part lr · weight_decay, then the rate times the update."""
    w = 1.0
    for update in updates:
        w = w * (1 - lr * weight_decay) - lr * update
        yield w


# What one weight is after each of three steps, from 1 and with the gradients 1, 1 and −2.
BY_HAND = [
    pytest.param(
        train.SGD, {"lr": 0.1}, [0.9, 0.8, 1.0],
        id="plain", marks=pytest.mark.effect("train.SGD(parameters)", "train.SGD(lr)"),
    ),
    pytest.param(  # v is 1, 1.5, −1.25
        train.SGD, {"lr": 0.1, "momentum": 0.5}, [0.9, 0.75, 0.875],
        id="momentum", marks=pytest.mark.effect("train.SGD(momentum)"),
    ),
    pytest.param(  # g + v/2 is 1.5, 1.75, −2.625
        train.SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True}, [0.85, 0.675, 0.9375],
        id="nesterov", marks=pytest.mark.effect("train.SGD(nesterov)"),
    ),
    pytest.param(  # g is 1 + 0.2, 1 + 0.176, 0.15248 − 2
        train.SGD, {"lr": 0.1, "weight_decay": 0.2}, [0.88, 0.7624, 0.947152],
        id="decay", marks=pytest.mark.effect("train.SGD(weight_decay)"),
    ),
    pytest.param(  # v is 1.2, 0.6 + 1.176, 0.888 − 1.85952
        train.SGD, {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2}, [0.88, 0.7024, 0.799552],
        id="decay goes into the velocity",
    ),
    pytest.param(  # the averages of one gradient are this gradient and its square
        train.AdamW, {"lr": 0.1, "betas": (0, 0), "weight_decay": 0}, [0.9, 0.8, 0.9],
        id="signs", marks=pytest.mark.effect("train.AdamW(parameters)", "train.AdamW(lr)"),
    ),
    pytest.param(
        # m is 1/2, 3/4, −5/8 and v is 1/4, 7/16, 85/64: over 1 − 1/2ᵗ and 1 − (3/4)ᵗ
        train.AdamW, {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0},
        [*decoupled(1, 1, -(5 / 7) / (85 / 37) ** 0.5, lr=0.1, weight_decay=0)],
        id="averages", marks=pytest.mark.effect("train.AdamW(betas)"),
    ),
    pytest.param(
        train.AdamW, {"lr": 0.1, "betas": (0, 0), "eps": 3, "weight_decay": 0},
        [0.975, 0.95, 0.99],  # 1/(1 + 3), 2/(2 + 3)
        id="eps", marks=pytest.mark.effect("train.AdamW(eps)"),
    ),
    pytest.param(
        train.AdamW, {"lr": 0.1, "betas": (0, 0), "weight_decay": 0.5},
        [*decoupled(1, 1, -1, lr=0.1, weight_decay=0.5)],
        id="decoupled decay", marks=pytest.mark.effect("train.AdamW(weight_decay)"),
    ),
    pytest.param(
        # m is 0.1, 0.19, −0.029 and v is 0.001, 0.001999, 0.005997001
        train.AdamW, {},
        [*decoupled(
            1, 1, -(0.029 / 0.271) / (0.005997001 / 0.002997001) ** 0.5,
            lr=0.001, weight_decay=0.01,
        )],
        id="as it is",
    ),
]  # fmt: skip


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(("make", "options", "expected"), BY_HAND)
def test_three_steps_are_those_worked_out_by_hand(make, options, expected):
    weight = Parameter(np.ones((1, 1)))
    optimizer, seen = make([weight], **options), []
    for gradient in (1, 1, -2):
        weight.grad[...] = gradient
        optimizer.step()
        seen.append(weight.value.item())
    np.testing.assert_allclose(seen, expected, rtol=1e-7)


def test_eps_is_outside_of_the_root_and_1e_8_unless_given():
    """Where the gradient is as small as that, half a step is left."""
    weight = Parameter(np.ones((1, 1)))
    weight.grad[...] = 1e-8
    train.AdamW([weight], lr=0.1, weight_decay=0).step()
    assert weight.value.item() == pytest.approx(0.95, rel=1e-12)


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
