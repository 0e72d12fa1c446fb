"""Plausible wrong gradients of layers: those of operations stand in `rows`.

Each is put in the place of the right backward, or of a function that a layer's backward calls, and
the checker has to reject it and to name the gradient that is wrong.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from minise import gradcheck, nn, ops

F64 = {"dtype": np.float64}


class Mutant(NamedTuple):
    """`example(rng)` gives what `check` takes; `wrong` are the gradients that must be rejected."""

    example: Callable
    wrong: set[str]
    patches: Mapping[str, Callable] = MappingProxyType({})  # functions of `minise.ops` replaced


def layer(name, wrong, **patches):
    """A function of `minise.ops` replaced, for a layer's example."""

    def example(rng):
        subject, inputs, _ = gradcheck.EXAMPLES[name](rng)
        return subject, inputs

    return Mutant(example, wrong, patches)


def squeeze_without_mean(dz, saved, add_to=None, scaled_by=None):
    return ops.squeeze.global_avg_pool_backward(dz * saved.x[0, 0].size, saved, add_to, scaled_by)


def squeeze_left_out(dz, saved, add_to=None, scaled_by=None):
    return ops.squeeze.global_avg_pool_backward(0 * dz, saved, add_to, scaled_by)


def squeeze_alone(dz, saved, add_to=None, scaled_by=None):
    return ops.squeeze.global_avg_pool_backward(dz, saved)


def branches_exchanged(right, dy, saved):
    first, second, pooled = right(dy, saved)
    return first, pooled, second


def norm_of_constants(dy, saved):
    return ops.norm.batch_norm_backward(dy, saved._replace(from_batch=False))


OF_LAYERS = {
    "SEBlock: the gate's path left out": layer(
        "SEBlock", {"x"}, global_avg_pool_backward=squeeze_left_out
    ),
    "SEBlock: the straight path left out": layer(
        "SEBlock", {"x"}, global_avg_pool_backward=squeeze_alone
    ),
    "SEBlock: squeeze not divided by H·W": layer(
        "SEBlock", {"x"}, global_avg_pool_backward=squeeze_without_mean
    ),
    "SEBlock: mean over H·W in the gates": layer(
        "SEBlock",
        {"x", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"},
        gates_gradient=lambda dy, s: (dy * s.x).mean(axis=(2, 3)),
    ),
    "SEBlock: relu between the maps forgotten": layer(
        "SEBlock", {"x", "fc1.weight", "fc1.bias"}, relu_backward=lambda dy, s: dy
    ),
    "SEBlock, silu: the derivative of relu between the maps": layer(
        "SEBlock, silu",
        {"x", "fc1.weight", "fc1.bias"},
        silu_backward=lambda dy, s: np.where(s.x > 0, dy, 0),
    ),
    "SEBlock, norm before: batch statistics taken for constants": layer(
        "SEBlock, norm before",
        {"x", "fc1.weight", "fc1.bias"},
        batch_norm_backward=norm_of_constants,
    ),
    "SEBlock, residual: x's own gradient left out": Mutant(
        lambda rng: (
            OwnPathLeftOut(6, 2, residual=True, rng=rng, **F64),
            (rng.standard_normal((3, 6, 4, 3)),),
        ),
        {"x"},
    ),
    "EffectiveSE: the gate's path left out": layer(
        "EffectiveSE", {"x"}, global_avg_pool_backward=squeeze_left_out
    ),
    "NoSqueeze: the gates' path left out": layer("NoSqueeze", {"x"}, add=lambda x, r: (x, None)),
    "ECA: the gates' path left out": layer("ECA", {"x"}, global_avg_pool_backward=squeeze_left_out),
    "Residual: the shortcut's gradient left out": layer(
        "Residual", {"x"}, add_backward=lambda dy, s=None: (dy, np.zeros_like(dy))
    ),
    "Bottleneck: the mean over H·W in the gates": layer(
        "Bottleneck, post",
        {"se.fc1.weight", "se.fc2.weight"},
        gates_gradient=lambda dy, s: (dy * s.x).mean(axis=(2, 3)),
    ),
    "Residual, standard: relu after the sum forgotten": layer(
        "Residual, standard",
        {"x"},
        scale_add_relu_backward=lambda dy, s: (
            dy * s.s[:, :, None, None],
            (dy * s.x).sum(axis=(2, 3)),
            dy,
        ),
    ),
    "InvertedResidual: the gradient of the straight path left out": layer(
        "InvertedResidual, SE", {"x"}, add_backward=lambda dy, s=None: (dy, np.zeros_like(dy))
    ),
    "InvertedResidual: the mean over H·W in the gates": layer(
        "InvertedResidual, SE",
        {"se.fc1.weight", "se.fc2.weight"},
        gates_gradient=lambda dy, s: (dy * s.x).mean(axis=(2, 3)),
    ),
    "Inception: the first branch's gradient alone": layer(
        "Inception, stride 2", {"x"}, add=lambda x, r: (x, None)
    ),
    "Inception: gradients of two branches exchanged": layer(
        "Inception, stride 2",
        {"x", "branch5x5.0.conv.weight", "branch5x5.1.conv.weight"},
        concat_backward=partial(branches_exchanged, ops.concat_backward),
    ),
    "Inception: the pooling's gradient left out": layer(
        "Inception, stride 2", {"x"}, max_pool2d_backward=lambda dy, s: np.zeros(s.x.shape)
    ),
    "Conv2d: gradient of the weights overwritten": Mutant(
        lambda rng: (Overwriting(2, 3, 3, rng=rng, **F64), rng_images(rng)), {"weight"}
    ),
    "Dropout: another mask in the backward": Mutant(
        lambda rng: (OtherMask(0.5, rng=rng), (rng.standard_normal((5, 6)),)), {"x"}
    ),
    "Dropout: not scaled": Mutant(
        lambda rng: (NotScaled(0.5, rng=rng), (rng.standard_normal((5, 6)),)), {"x"}
    ),
    "DropPath: dropped images learn": Mutant(
        lambda rng: (LearningAll(0.5, rng=rng), (rng.standard_normal((6, 2, 3, 2)),)), {"x"}
    ),
    "Sequential: backwards in forward order": Mutant(
        lambda rng: (InForwardOrder(), (rng.standard_normal((3, 4)),)), {"x"}
    ),
    "Flatten: in another order": Mutant(lambda rng: (FortranFlatten(), rng_images(rng)), {"x"}),
}


def rng_images(rng):
    return (rng.standard_normal((2, 2, 4, 3)),)


class OwnPathLeftOut(nn.SEBlock):
    """x + s · x with the gradient of s · x alone."""

    def forward(self, x, training=True, mask=None):
        y, backward = super().forward(x, training, mask)
        return y, lambda dy: backward(dy) - dy


class Overwriting(nn.Conv2d):
    def forward(self, x, training=True):
        y, backward = super().forward(x, training)

        def overwrite(dy):
            self.weight.grad[...] = 0
            return backward(dy)

        return y, overwrite


class OtherMask(nn.Dropout):
    def forward(self, x, training=True):
        y, _ = super().forward(x, training)
        return y, super().forward(x, training)[1]


class NotScaled(nn.Dropout):
    def forward(self, x, training=True):
        y, backward = super().forward(x, training)
        return y, lambda dy: backward(dy) * (1 - self.p)


class LearningAll(nn.DropPath):
    def forward(self, x, training=True):
        y, _ = super().forward(x, training)
        return y, lambda dy: dy / (1 - self.p)


class InForwardOrder(nn.Layer):
    """tanh, then a square; the backward hands the gradients on the wrong way round."""

    def forward(self, x, training=True):
        first, tanh_backward = nn.Tanh().forward(x)

        def backward(dy):
            return 2 * x * tanh_backward(dy)

        return first**2, backward


class FortranFlatten(nn.Flatten):
    def forward(self, x, training=True):
        y, _ = super().forward(x, training)
        return y, lambda dy: dy.reshape(x.shape, order="F")
