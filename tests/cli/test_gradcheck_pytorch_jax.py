"""`minise gradcheck` of a person's own code for PyTorch and JAX."""

import pytest

PYTORCH = """
import torch
from torch import nn

class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s):
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, dy):
        x, s = ctx.saved_tensors
        return dy * s, (dy * x).mean(0)

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 3), nn.Tanh())

def make():
    return nn.Linear(4, 3)

made = make()
made_inputs = torch.ones(2, 4)

def sigmoid(x):
    return torch.sigmoid(x)
"""
JAX = """
import jax
import jax.numpy as jnp

def tanh(x):
    return jnp.tanh(x)

tanh_inputs = jnp.arange(3.0)

@jax.jit
def compiled(x, w):
    return jnp.tanh(x @ w)
"""


@pytest.fixture
def own(tmp_path, request):
    package, source = request.param
    pytest.importorskip(package, reason=f"{package} is not installed")
    path = tmp_path / f"with_{package}.py"
    path.write_text(source, encoding="utf-8")
    return path


OF_PYTORCH = pytest.mark.parametrize("own", [("torch", PYTORCH)], indirect=True, ids=["torch"])
OF_JAX = pytest.mark.parametrize("own", [("jax", JAX)], indirect=True, ids=["jax"])


@OF_PYTORCH
@pytest.mark.parametrize(
    ("name", "shapes", "gradients"),
    [
        ("Net", ["2,4"], ["input", "0.weight", "0.bias"]),
        ("make", ["2,4"], ["input", "weight", "bias"]),
        ("made", [], ["input", "weight", "bias"]),
        ("sigmoid", ["3"], ["x"]),
    ],
)
def test_modules_and_functions_of_pytorch(minise, own, name, shapes, gradients):
    code, printed, errors = minise(
        "gradcheck", f"{own}:{name}", *(f"--input={shape}" for shape in shapes)
    )
    assert code == 0, errors
    lines = printed.splitlines()[2 : 2 + len(gradients)]
    assert [line.split()[0] for line in lines] == gradients


@OF_PYTORCH
def test_a_wrong_function_of_pytorch(minise, own):
    code, printed, _ = minise("gradcheck", f"{own}:Scale", "--input", "5,3", "--input", "3")
    assert code == 1
    assert "s: off by the constant factor 0.2 = 1/(N) = 1/5" in printed


@OF_JAX
@pytest.mark.parametrize(
    "arguments", [("tanh",), ("compiled", "--input", "2,3", "--input", "3,4")], ids=str
)
def test_functions_of_jax(minise, own, arguments):
    name, *shapes = arguments
    code, printed, errors = minise("gradcheck", f"{own}:{name}", *shapes)
    assert code == 0, errors
    assert "passed" in printed
