"""Plausible wrong gradients, over all operations and layers that have a backward of their own.

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

    of: str
    example: Callable
    wrong: set[str]
    patches: Mapping[str, Callable] = MappingProxyType({})  # functions of `minise.ops` replaced


def operation(name, wrong, backward):
    """Another backward for the first example of an operation."""

    def example(rng):
        (forward, right), inputs, _ = gradcheck.EXAMPLES[name](rng)
        return (forward, partial(backward, right)), inputs

    return Mutant(name.split(",")[0], example, wrong)


def gradient(name, variables, change):
    """Change one gradient, by its place among `variables`: change(gradient, dy, saved)."""
    names = variables.split()
    (wrong,) = {n for n in names if n.endswith("!")}

    def backward(right, dy, saved):
        found = right(dy, saved)
        listed = list(found) if isinstance(found, tuple) else [found]
        k = names.index(wrong)
        listed[k] = change(listed[k], dy, saved)
        return tuple(listed) if isinstance(found, tuple) else listed[0]

    return operation(name, {wrong[:-1]}, backward)


def layer(name, wrong, **patches):
    """A function of `minise.ops` replaced, for a layer's example."""

    def example(rng):
        subject, inputs, _ = gradcheck.EXAMPLES[name](rng)
        return subject, inputs

    return Mutant(name.split(",")[0], example, wrong, patches)


def shifted(array, axis):
    return np.roll(array, 1, axis)


def without(array, *index):
    array = array.copy()
    array[index] = 0
    return array


def turned(w):
    return w[:, :, ::-1, ::-1]


def squeeze_without_mean(dz, saved, add_to=None):
    dx = np.broadcast_to(dz[:, :, None, None], saved.x.shape).copy()
    return dx if add_to is None else add_to + dx


def squeeze_left_out(dz, saved, add_to=None):
    return np.zeros(saved.x.shape) if add_to is None else add_to


def squeeze_alone(dz, saved, add_to=None):
    return ops.pool.global_avg_pool_backward(dz, saved)


def branches_exchanged(right, dy, saved):
    first, second, pooled = right(dy, saved)
    return first, pooled, second


def norm_with_fixed_statistics(right, dy, saved):
    return right(dy, saved._replace(from_batch=False))


def norm_without_variance(right, dy, saved):
    _, dw, db = right(dy, saved)
    fixed = right(dy, saved._replace(from_batch=False))[0]
    return fixed - fixed.mean(axis=(0, 2, 3), keepdims=True), dw, db


def norm_without_mean(right, dy, saved):
    dx, dw, db = right(dy, saved)
    fixed = right(dy, saved._replace(from_batch=False))[0]
    return dx + fixed.mean(axis=(0, 2, 3), keepdims=True), dw, db


def norm_with_unbiased_variance(right, dy, saved):
    M = dy.size / dy.shape[1]
    return right(dy, saved._replace(var=saved.var * M / (M - 1)))


def with_ties(forward, backward):
    """Whole numbers, many of them the largest of their window."""
    return lambda rng: ((forward, backward), (rng.integers(0, 2, (2, 3, 4, 4)).astype(float),))


def every_largest_pixel(dy, saved):
    x = saved.x
    return np.where(x == x.max(axis=(2, 3), keepdims=True), dy[:, :, None, None], 0)


def every_largest_of_a_window(dy, saved):
    x = saved.x
    windows = x.reshape(*x.shape[:2], 2, 2, 2, 2)  # (N, C, OH, 2, OW, 2)
    won = windows == windows.max(axis=(3, 5), keepdims=True)
    return np.where(won, dy[:, :, :, None, :, None], 0).reshape(x.shape)


def every_winner_the_first(right, dy, saved):
    return right(dy, saved._replace(winner=np.zeros_like(saved.winner)))


def conv_off_by_one(right, dy, saved):
    dx, dw, db = right(dy, saved)
    return np.roll(dx, (1, 1), (2, 3)), dw, db


def conv_from_wrong_padding(right, dy, saved):
    dx, _, db = right(dy, saved)
    return dx, right(dy, saved._replace(x=np.roll(saved.x, 1, 3)))[1], db


def mask_of_the_wrong_array(right, dy, saved):
    return np.where(dy > 0, dy, 0)


MUTANTS = {
    # convolution and linear maps
    "conv2d: kernel not turned round": operation(
        "conv2d", {"x"}, lambda right, dy, s: right(dy, s._replace(w=turned(s.w)))
    ),
    "conv2d: rows and columns of the kernel exchanged": gradient(
        "conv2d", "x w! b", lambda dw, dy, s: dw.swapaxes(2, 3)
    ),
    "conv2d: gradient of the weights turned round": gradient(
        "conv2d", "x w! b", lambda dw, dy, s: turned(dw)
    ),
    "conv2d: gradient of the input shifted by a pixel": operation("conv2d", {"x"}, conv_off_by_one),
    "conv2d: padding off by one": operation("conv2d", {"w"}, conv_from_wrong_padding),
    "conv2d: mean over the batch": gradient("conv2d", "x w! b", lambda dw, dy, s: dw / len(dy)),
    "conv2d: first image alone": operation(
        "conv2d",
        {"w"},
        lambda right, dy, s: (right(dy, s)[0], right(without(dy, 1), s)[1], right(dy, s)[2]),
    ),
    "conv2d: bias not summed over the batch": gradient(
        "conv2d", "x w b!", lambda db, dy, s: dy[0].sum(axis=(1, 2))
    ),
    "conv2d: bias averaged over pixels": gradient(
        "conv2d", "x w b!", lambda db, dy, s: dy.mean(axis=(2, 3)).sum(axis=0)
    ),
    "conv2d: border of the input without gradient": gradient(
        "conv2d", "x! w b", lambda dx, dy, s: without(dx, slice(None), slice(None), 0)
    ),
    "conv2d: a stride forgotten": gradient(
        "conv2d, stride 2", "x! w b", lambda dx, dy, s: shifted(dx, 3)
    ),
    "conv2d: groups exchanged": gradient(
        "conv2d, dilated, grouped", "x! w", lambda dx, dy, s: np.roll(dx, 2, 1)
    ),
    "linear: weights for their transposed": gradient(
        "linear", "x w! b", lambda dw, dy, s: dw.T.reshape(dw.shape)
    ),
    "linear: x without the weights": gradient(
        "linear", "x! w b", lambda dx, dy, s: np.repeat(dy.sum(axis=1)[:, None], 4, axis=1)
    ),
    "linear: mean over the batch": gradient("linear", "x w! b", lambda dw, dy, s: dw / len(dy)),
    "linear: bias averaged": gradient("linear", "x w b!", lambda db, dy, s: dy.mean(axis=0)),
    "linear: sign": gradient("linear", "x! w b", lambda dx, dy, s: -dx),
    # activations
    "relu: mask of dy": operation("relu", {"x"}, mask_of_the_wrong_array),
    "relu: mask turned": gradient("relu", "x!", lambda dx, dy, s: dy - dx),
    "relu: lets everything through": gradient("relu", "x!", lambda dx, dy, s: dy),
    "relu: leaky": gradient("relu", "x!", lambda dx, dy, s: np.where(s.y > 0, dy, 0.01 * dy)),
    "relu: twice as steep at 0": Mutant(
        "relu",
        lambda rng: (
            (ops.relu, lambda dy, s: dy * ((s.y > 0) + 2.0 * (s.y == 0))),
            (np.array([0.0, 1.0, 2.0]),),
        ),
        {"x"},
    ),
    "sigmoid: (1 − s) missing": gradient("sigmoid", "x!", lambda dx, dy, s: dy * s.y),
    "sigmoid: without dy": gradient("sigmoid", "x!", lambda dx, dy, s: s.y * (1 - s.y)),
    "sigmoid: of its output again": gradient(
        "sigmoid", "x!", lambda dx, dy, s: ops.sigmoid_backward(dy, ops.sigmoid(s.y)[1])
    ),
    "tanh: 1 − y for 1 − y²": gradient("tanh", "x!", lambda dx, dy, s: dy * (1 - s.y)),
    "tanh: divided by dy": gradient("tanh", "x!", lambda dx, dy, s: (1 - s.y**2) / dy),
    "hard_sigmoid: without the sixth": gradient("hard_sigmoid", "x!", lambda dx, dy, s: 6 * dx),
    "hard_sigmoid: never cut off": gradient("hard_sigmoid", "x!", lambda dx, dy, s: dy / 6),
    # pooling
    "max_pool2d: every winner the first": operation("max_pool2d", {"x"}, every_winner_the_first),
    "max_pool2d: overlaps written and not added": gradient(
        "max_pool2d, overlapping", "x!", lambda dx, dy, s: np.clip(dx, dy.min(), dy.max())
    ),
    "max_pool2d: shared out as an average": gradient(
        "max_pool2d",
        "x!",
        lambda dx, dy, s: ops.avg_pool2d_backward(dy, ops.avg_pool2d(s.x, 2)[1]),
    ),
    "avg_pool2d: not divided": gradient("avg_pool2d", "x!", lambda dx, dy, s: 4 * dx),
    "avg_pool2d: border divided by the whole window": operation(
        "avg_pool2d, overlapping",
        {"x"},
        lambda right, dy, s: right(dy, s._replace(pixels=np.full_like(s.pixels, 9))),
    ),
    "global_avg_pool: not divided by H·W": gradient(
        "global_avg_pool", "x!", lambda dx, dy, s: dx * dx[0, 0].size
    ),
    "global_avg_pool: divided by H": gradient(
        "global_avg_pool", "x!", lambda dx, dy, s: dx * dx.shape[3]
    ),
    "global_max_pool: the last pixel wins": operation(
        "global_max_pool",
        {"x"},
        lambda right, dy, s: right(dy, s._replace(winner=np.full_like(s.winner, 11))),
    ),
    "global_max_pool: a tie given twice": Mutant(
        "global_max_pool", with_ties(ops.global_max_pool, every_largest_pixel), {"x"}
    ),
    "max_pool2d: a tie given twice": Mutant(
        "max_pool2d",
        with_ties(partial(ops.max_pool2d, kernel_size=2), every_largest_of_a_window),
        {"x"},
    ),
    # scale, and its fusion
    "channel_scale: mean for the sum over H·W": gradient(
        "channel_scale", "x s!", lambda ds, dy, s: (dy * s.x).mean(axis=(2, 3))
    ),
    "channel_scale: sum over W alone": gradient(
        "channel_scale", "x s!", lambda ds, dy, s: (dy * s.x)[:, :, 0].sum(axis=2)
    ),
    "channel_scale: not scaled": gradient("channel_scale", "x! s", lambda dx, dy, s: dy),
    "channel_scale: g / dy for g · dy": gradient(
        "channel_scale", "x! s", lambda dx, dy, s: s.s[:, :, None, None] / dy
    ),
    "channel_scale: dy left out of the gate": gradient(
        "channel_scale", "x s!", lambda ds, dy, s: s.x.sum(axis=(2, 3))
    ),
    "channel_scale: gates of the next channel": gradient(
        "channel_scale", "x! s", lambda dx, dy, s: dy * shifted(s.s, 1)[:, :, None, None]
    ),
    "multiply: factors exchanged": gradient("multiply", "x! s", lambda dx, dy, s: dy * s.x),
    "multiply: not summed over the channels": gradient(
        "multiply, one gate for a pixel", "x s!", lambda ds, dy, s: (dy * s.x)[:, :1]
    ),
    "NoSqueeze: the gates' path left out": layer("NoSqueeze", {"x"}, add=lambda x, r: (x, None)),
    "ECA: the gates' path left out": layer("ECA", {"x"}, global_avg_pool_backward=squeeze_left_out),
    "scale_add_relu: mask of x": operation(
        "scale_add_relu", {"x", "s", "r"}, lambda right, dy, s: right(dy, s._replace(y=s.x))
    ),
    "scale_add_relu: shortcut scaled too": gradient(
        "scale_add_relu", "x s r!", lambda dr, dy, s: dr * s.s[:, :, None, None]
    ),
    "scale_add_relu: relu forgotten for the gate": gradient(
        "scale_add_relu", "x s! r", lambda ds, dy, s: (dy * s.x).sum(axis=(2, 3))
    ),
    "add: one term left out": gradient("add", "x r!", lambda dr, dy, s: np.zeros_like(dy)),
    "concat: parts exchanged": gradient(
        "concat", "a[0] a[1]! a[2]", lambda d, dy, s: dy[:, :3]
    )._replace(wrong={"arrays[1]"}),
    # batch normalisation
    "batch_norm: without the statistics' terms": operation(
        "batch_norm", {"x"}, norm_with_fixed_statistics
    ),
    "batch_norm: without the variance's term": operation(
        "batch_norm", {"x"}, norm_without_variance
    ),
    "batch_norm: without the mean's term": operation("batch_norm", {"x"}, norm_without_mean),
    "batch_norm: unbiased variance": operation(
        "batch_norm", {"x", "w"}, norm_with_unbiased_variance
    ),
    "batch_norm: weight's gradient from x, not x̂": gradient(
        "batch_norm", "x w! b", lambda dw, dy, s: (dy * s.x).sum(axis=(0, 2, 3))
    ),
    "batch_norm: bias averaged": gradient(
        "batch_norm", "x w b!", lambda db, dy, s: dy.mean(axis=(0, 2, 3))
    ),
    "batch_norm, evaluation: as if in training": operation(
        "batch_norm, evaluation", {"x"}, lambda right, dy, s: right(dy, s._replace(from_batch=True))
    ),
    "batch_norm_relu: relu forgotten": operation(
        "batch_norm_relu",
        {"x", "w", "b"},
        lambda right, dy, s: ops.batch_norm_backward(dy, s.norm),
    ),
    "batch_norm_relu: mask of the input": operation(
        "batch_norm_relu", {"x", "w", "b"}, lambda right, dy, s: right(dy, s._replace(y=s.norm.x))
    ),
    # loss
    "softmax_cross_entropy: 1/N missing": gradient(
        "softmax_cross_entropy", "scores!", lambda d, dy, s: d * len(d)
    ),
    "softmax_cross_entropy: dloss ignored": operation(
        "softmax_cross_entropy", {"scores"}, lambda right, dy, s: right(1.0, s)
    ),
    "softmax_cross_entropy: labels not subtracted": gradient(
        "softmax_cross_entropy", "scores!", lambda d, dy, s: s.p * dy / len(s.p)
    ),
    "softmax_cross_entropy: smoothing forgotten": operation(
        "softmax_cross_entropy, smoothed",
        {"scores"},
        lambda right, dy, s: right(dy, s._replace(q=np.round(s.q))),
    ),
    # layers, through what their backward calls
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
        channel_scale_backward=lambda dy, s: (
            dy * s.s[:, :, None, None],
            (dy * s.x).mean(axis=(2, 3)),
        ),
    ),
    "SEBlock: relu between the maps forgotten": layer(
        "SEBlock", {"x", "fc1.weight", "fc1.bias"}, relu_backward=lambda dy, s: dy
    ),
    "Residual: the shortcut's gradient left out": layer(
        "Residual", {"x"}, add_backward=lambda dy, s=None: (dy, np.zeros_like(dy))
    ),
    "Bottleneck: the mean over H·W in the gates": layer(
        "Bottleneck, post",
        {"se.fc1.weight", "se.fc2.weight"},
        channel_scale_backward=lambda dy, s: (
            dy * s.s[:, :, None, None],
            (dy * s.x).mean(axis=(2, 3)),
        ),
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
        "Conv2d", lambda rng: (Overwriting(2, 3, 3, rng=rng, **F64), rng_images(rng)), {"weight"}
    ),
    "Dropout: another mask in the backward": Mutant(
        "Dropout", lambda rng: (OtherMask(0.5, rng=rng), (rng.standard_normal((5, 6)),)), {"x"}
    ),
    "Dropout: not scaled": Mutant(
        "Dropout", lambda rng: (NotScaled(0.5, rng=rng), (rng.standard_normal((5, 6)),)), {"x"}
    ),
    "Sequential: backwards in forward order": Mutant(
        "Sequential", lambda rng: (InForwardOrder(), (rng.standard_normal((3, 4)),)), {"x"}
    ),
    "Flatten: in another order": Mutant(
        "Flatten", lambda rng: (FortranFlatten(), rng_images(rng)), {"x"}
    ),
}


def rng_images(rng):
    return (rng.standard_normal((2, 2, 4, 3)),)


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
