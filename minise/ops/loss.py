"""Softmax and cross-entropy in one, the loss of a classifier, averaged over the batch.

    p = softmax(scores),   loss = −(1/N) Σ over n, k of q[n, k] · log p[n, k]

where q is the target distribution: 1 for the label, 0 elsewhere, or with smoothing ε
(1 − ε) for the label plus ε/K for each class (Szegedy et al. 2016, section 7).
"""

from __future__ import annotations

from typing import NamedTuple

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_backward"]


class SoftmaxCrossEntropySaved(NamedTuple):
    """Predicted and target probabilities, both (N, K)."""

    p: Array
    q: Array


def softmax_cross_entropy(
    scores: Array, labels: Array, *, label_smoothing: float = 0.0
) -> tuple[Array, SoftmaxCrossEntropySaved]:
    """The mean loss (a scalar in the dtype of scores) of scores (N, K) for labels (N,), integers.

    Raises `ValueError` for labels outside 0 … K−1, an empty batch (its mean has no value) or a
    smoothing outside [0, 1]; `TypeError` for dtypes. On a GPU a label outside makes the loss NaN:
    checking for it would mean waiting for the GPU.
    """
    door.check_loss("softmax_cross_entropy", scores, labels, label_smoothing)
    loss, p, q = _softmax_cross_entropy(scores, labels, label_smoothing)
    return loss, SoftmaxCrossEntropySaved(p, q)


@accelerated
def _softmax_cross_entropy(
    scores: Array, labels: Array, label_smoothing: float
) -> tuple[Array, Array, Array]:
    door.check_classes("softmax_cross_entropy", labels, scores.shape[1])
    xp, K = array_module(scores), scores.shape[1]
    # exp of the difference from the largest score: never above 1, so nothing overflows
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, K)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    one_hot = labels[:, None] == xp.arange(K)  # (N, K)
    q = xp.empty_like(scores)  # in the memory order of scores
    q[...] = one_hot * (1 - label_smoothing) + label_smoothing / K
    loss = -(q * log_p).sum(axis=1).mean()
    return loss, xp.exp(log_p), q


def softmax_cross_entropy_backward(dloss: float, saved: SoftmaxCrossEntropySaved) -> Array:
    """dscores (N, K) = dloss · (p − q) / N; dloss is 1 where the loss itself is minimised."""
    p, q = saved
    return _softmax_cross_entropy_backward(p, q, float(dloss))


@accelerated
def _softmax_cross_entropy_backward(p: Array, q: Array, dloss: float) -> Array:
    dscores: Array = (p - q) * (dloss / len(p))
    return dscores
