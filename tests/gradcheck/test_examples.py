"""Every operation and every layer that minise has passes the gradient check."""

import os

import numpy as np
import pytest

from minise import backend, gradcheck, nn, ops
from minise.gradcheck import EXAMPLES

# Blocks of many layers are checked on the backend that one uses; the rest is slow.
BLOCKS = ("Residual", "Bottleneck", "Inception", "InvertedResidual")
SLOW_BLOCKS = [
    pytest.param(name, marks=[pytest.mark.slow] * name.startswith(BLOCKS)) for name in EXAMPLES
]
SEEDS = int(os.environ.get("MINISE_SEEDS", "1"))


def made_of(block):
    parts = [type(part).__name__ for _, part in block.named_layers()]
    return [*parts, *(parameter.value.shape for parameter in block.parameters())]


@pytest.mark.parametrize(
    ("called", "options"),
    [
        ("max", {"squeeze": "max"}),
        ("avg+max", {"squeeze": "avg+max"}),
        ("timm", {"rounding": "timm"}),
        ("tanh", {"gate": "tanh"}),
        ("relu", {"gate": "relu", "bias": False}),
        ("hard_sigmoid", {"gate": "hard_sigmoid"}),
        ("silu", {"activation": "silu"}),
        ("norm before", {"norm": "before"}),
        ("norm after", {"norm": "after", "activation": "leaky_relu"}),
        ("residual", {"residual": True}),
    ],
)
def test_an_example_of_se_is_what_it_is_called(called, options):
    name = f"SEBlock, {called}"
    block, usual = (EXAMPLES[n](np.random.default_rng(0)).subject for n in (name, "SEBlock"))
    assert made_of(block) == made_of(nn.SEBlock(6, 2, **options)) != made_of(usual)


def check(name):
    for seed in range(SEEDS):
        example = EXAMPLES[name](np.random.default_rng(seed))
        gradcheck.assert_gradients(
            example.subject,
            *example.inputs,
            training=example.training,
            rng=np.random.default_rng(seed + 100),
        )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradients_are_right(name):
    with backend.using("numba"):
        check(name)


@pytest.mark.parametrize("name", SLOW_BLOCKS)
def test_the_gradients_of_the_specification_are_right(name):
    with backend.using("numpy"):
        check(name)


@pytest.mark.parametrize("name", SLOW_BLOCKS)
def test_complex_steps_as_a_second_opinion_say_so_too(name):
    example = EXAMPLES[name](np.random.default_rng(0))
    gradcheck.assert_gradients(
        example.subject, *example.inputs, training=example.training, method="complex"
    )


def test_every_operation_and_every_layer_has_an_example():
    operations = {name for name in ops.__all__ if f"{name}_backward" in ops.__all__}
    layers = {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Layer)
    } - {"Layer"}
    assert operations
    assert layers
    assert operations | layers <= {name.split(",")[0] for name in EXAMPLES}
