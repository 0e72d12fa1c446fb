"""Softmax and cross-entropy, a block for each row of scores."""

from __future__ import annotations

import cupy
import numpy as np

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, start, threads_for


def softmax_cross_entropy(
    scores: Array, labels: Array, label_smoothing: float
) -> tuple[Array, Array, Array]:
    """(loss, p, q): the mean loss, and predicted and target probabilities (N, K).

    A label that is not a class makes the loss NaN: refusing it would mean waiting for the GPU.
    """
    scores, labels = contiguous(scores, labels.astype(np.int64, copy=False))
    N, K = scores.shape
    p, q = cupy.empty(scores.shape, scores.dtype), cupy.empty(scores.shape, scores.dtype)
    losses = cupy.empty(N, scores.dtype)
    arguments = (scores, labels, p, q, losses, float(label_smoothing), K)
    start("loss.cu", "softmax_cross_entropy", (N,), threads_for(K), *arguments, dtype=p.dtype)
    return losses.mean(), p, q
