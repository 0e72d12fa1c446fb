"""Labels and softmax."""

from __future__ import annotations

import math

import numpy as np

from minise.gradcheck.causes.evidence import CLOSE, FEW, Evidence, axes_called, close, none_of


def at_the_label(e: Evidence) -> str | None:
    """Wrong only at the label of each row, of scores (N, K) with labels (N,)."""
    if e.whole is None or len(e.shape) != 2 or min(e.shape) < 2:
        return None
    lack = e.whole - e.analytic
    N, K = e.shape
    for name, labels in e.integers().items():
        if labels.shape != (N,) or labels.min() < 0 or labels.max() >= K:
            continue
        at = np.zeros(e.shape, bool)
        at[np.arange(N), labels] = True
        if not none_of(lack[~at], lack).all() or N < 3 or none_of(lack[at], lack).any():
            continue
        dy = np.broadcast_to(
            np.asarray(e.dy).reshape(np.shape(e.dy) + (1,) * np.ndim(e.dy)), e.shape
        )
        by = (lack / dy)[at]
        told = ""
        if np.ptp(by) <= CLOSE * np.abs(by).max():
            told = f", by {by[0]:.4g}"
            for called, value in (("−1", -1), (f"−1/{N}", -1 / N)):
                if math.isclose(by[0], value, rel_tol=10 * CLOSE):
                    return (
                        f"wrong only at the label of each row ({name}), where {called} lacks: is "
                        "the −1 at the label left out?"
                    )
            if any(math.isclose(abs(by[0]), n, rel_tol=10 * CLOSE) for n in (1 - 1 / N, N - 1)):
                told += ": is the 1 at the label divided by N as the rest is, once?"
        return (
            f"wrong only at the label of each row ({name}){told or ': what is subtracted there?'}"
        )
    return None


def softmax(e: Evidence) -> str | None:
    """Its Jacobian is not diagonal: where y is softmax of x, dx is y·(dy − Σ y·dy)."""
    y = e.y
    if y is None or not np.ndim(e.dy) or not np.shape(y) == np.shape(e.dy) == e.shape:
        return None
    numeric = e.whole
    if numeric is None or numeric.size < FEW or (y <= 0).any():
        return None
    for axis in range(y.ndim):
        if y.shape[axis] < 2 or not np.allclose(y.sum(axis=axis), 1):
            continue
        total = (y * e.dy).sum(axis=axis, keepdims=True)
        if not close(numeric, y * (e.dy - total)):
            continue
        needed = f"dx = y·(dy − Σ y·dy) over {axes_called((axis,))} is needed"
        if close(e.analytic, y * (1 - y) * e.dy):
            return f"only the diagonal of softmax's Jacobian, y·(1 − y): {needed}"
        if close(e.analytic, y * e.dy):
            return f"y·dy alone: Σ y·dy, that every input has a part in, is left out; {needed}"
        if close(e.analytic, e.dy - total):
            return f"dy − Σ y·dy without the factor y: {needed}"
        if close(e.analytic, y * (e.dy + total)):
            return f"y·(dy + Σ y·dy), a sign: {needed}"
        if close(e.analytic, y * (e.dy - e.dy.sum(axis=axis, keepdims=True))):
            return f"Σ dy for Σ y·dy: {needed}"
        for other in (*range(y.ndim), None):
            if other != axis and close(
                e.analytic, y * (e.dy - (y * e.dy).sum(axis=other, keepdims=True))
            ):
                over = "everything" if other is None else axes_called((other,))
                return f"Σ y·dy is over {over}: {needed}"
    return None
