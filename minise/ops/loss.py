"""Softmax and cross-entropy in one, the loss of a classifier, averaged over the batch.

    p = softmax(scores),   loss = −(1/N) Σ over n, k of q[n, k] · log p[n, k]

where q is the wanted distribution: 1 for the label, 0 elsewhere, or with smoothing ε
(1 − ε) for the label plus ε/K for each class (Szegedy et al. 2016, section 7).
"""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array, array_module, kernel


class SoftmaxCrossEntropySaved(NamedTuple):
    """Predicted and wanted probabilities, both (N, K)."""

    p: Array
    q: Array


def softmax_cross_entropy(
    scores: Array, labels: Array, *, label_smoothing: float = 0.0
) -> tuple[Array, SoftmaxCrossEntropySaved]:
    """The mean loss (a scalar in the dtype of scores) of scores (N, K) for labels (N,), integers.

    Raises `ValueError` for labels outside 0 … K−1, an empty batch (its mean has no value) or a
    smoothing outside [0, 1]; `TypeError` for dtypes. On a GPU a label outside makes the loss NaN:
    to look for it would mean to wait for the GPU.
    """
    shapes.check_kind("softmax_cross_entropy", scores, labels)
    shapes.check_arrays("softmax_cross_entropy", scores=scores)
    shapes.check_ndim("softmax_cross_entropy", "scores", scores, "N, K")
    if 0 in scores.shape:
        raise ValueError(f"softmax_cross_entropy: no mean over an empty batch: {scores.shape}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"softmax_cross_entropy: label_smoothing {label_smoothing} not in [0, 1]")
    N, K = scores.shape
    shapes.check_labels("softmax_cross_entropy", labels, N)
    if fast := kernel("softmax_cross_entropy", scores, labels):
        loss, p, q = fast(scores, labels, label_smoothing)
        return loss, SoftmaxCrossEntropySaved(p, q)

    shapes.check_classes("softmax_cross_entropy", labels, K)
    xp = array_module(scores, labels)
    # exp of a difference to the largest score: never above 1, so nothing overflows
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, K)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    one_hot = labels[:, None] == xp.arange(K)  # (N, K)
    q = xp.empty_like(scores)  # in the memory order of scores
    q[...] = one_hot * (1 - label_smoothing) + label_smoothing / K
    loss = -(q * log_p).sum(axis=1).mean()
    return loss, SoftmaxCrossEntropySaved(xp.exp(log_p), q)


def softmax_cross_entropy_backward(dloss: float, saved: SoftmaxCrossEntropySaved) -> Array:
    """dscores (N, K) = dloss · (p − q) / N; dloss is 1 where the loss is what is minimised."""
    p, q = saved
    dscores: Array = (p - q) * (float(dloss) / p.shape[0])
    return dscores
