"""Softmax and losses."""

import numpy as np

from planted.fault import Code, Fault, normal


def softmax_forward(x):
    """(N, K), over K."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    y = e / e.sum(axis=1, keepdims=True)
    return y, y


def softmax_backward(dout, cache):
    y = cache
    return y * (dout - (dout * y).sum(axis=1, keepdims=True))


def softmax_loss_forward(x, y):
    """(N, K), labels (N,): the mean of the cross-entropies."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(x)), y]).mean()
    return loss, (p, y)


def softmax_loss_backward(dout, cache):
    p, y = cache
    n = len(y)
    dx = p.copy()
    dx[np.arange(n), y] -= 1
    dx = dx / n
    return dout * dx


def svm_loss_forward(x, y):
    """(N, K), labels (N,): the hinge, margin 1."""
    right = x[np.arange(len(x)), y][:, None]
    margins = np.maximum(0, x - right + 1)
    margins[np.arange(len(x)), y] = 0
    return margins.sum() / len(x), (margins, y)


def svm_loss_backward(dout, cache):
    margins, y = cache
    n = len(y)
    dx = (margins > 0).astype(float)
    dx[np.arange(n), y] -= dx.sum(axis=1)
    dx /= n
    return dout * dx


def mse_forward(x, target):
    return np.mean((x - target) ** 2), (x, target)


def mse_backward(dout, cache):
    x, target = cache
    dx = 2 * (x - target) / x.size
    dtarget = -dx
    return dout * dx, dout * dtarget


def labels(rng):
    return rng.integers(0, 5, 4)


SOFTMAX = Code(softmax_forward, softmax_backward, normal((4, 5)))
CROSS_ENTROPY = Code(softmax_loss_forward, softmax_loss_backward, normal((4, 5), labels))
SVM = Code(svm_loss_forward, svm_loss_backward, normal((4, 5), labels))
MSE = Code(mse_forward, mse_backward, normal((4, 5), (4, 5)))

FAULTS = [
    Fault(
        SOFTMAX,
        "(dout - (dout * y).sum(axis=1, keepdims=True))",
        "(1 - y) * dout",
        x="only the diagonal of softmax's Jacobian",
    ),
    Fault(
        SOFTMAX,
        " - (dout * y).sum(axis=1, keepdims=True)",
        "",
        x="Σ y·dy, that every input has a part in, is left out",
    ),
    Fault(SOFTMAX, "axis=1", "axis=0", x="Σ y·dy is over axis 0"),
    Fault(SOFTMAX, "dout - ", "dout + ", x="y·(dy + Σ y·dy)"),
    Fault(CROSS_ENTROPY, "    dx[np.arange(n), y] -= 1\n", "", x="the −1 at the label left out"),
    Fault(CROSS_ENTROPY, "-= 1", "-= n", x="only at the label of each row"),
    Fault(
        CROSS_ENTROPY,
        "dx[np.arange(n), y] -= 1\n    dx = dx / n",
        "dx = dx / n\n    dx[np.arange(n), y] -= 1",
        x="is the 1 at the label divided by N",
    ),
    Fault(CROSS_ENTROPY, "dx = dx / n\n", "dx = dx\n", x="factor 4 = N"),
    Fault(CROSS_ENTROPY, "dx = dx / n", "dx = dx / n / n", x="divided by N once too often"),
    Fault(CROSS_ENTROPY, "dx = dx / n", "dx = dx / dx.size", x="1/5"),
    Fault(CROSS_ENTROPY, "return dout * dx", "return dx", x="right only for dy = 1"),
    Fault(CROSS_ENTROPY, "return dout * dx", "return -dout * dx", x="sign"),
    Fault(
        SVM, "    dx[np.arange(n), y] -= dx.sum(axis=1)\n", "", x="only at the label of each row"
    ),
    Fault(SVM, "-= dx.sum(axis=1)", "-= 1", x="only at the label of each row"),
    Fault(SVM, "dx /= n", "dx /= dx.size", x="1/5"),
    Fault(MSE, "2 * (x - target)", "(x - target)", x="factor 0.5", target="factor 0.5"),
    Fault(MSE, "/ x.size", "/ len(x)", x="factor 5", target="factor 5"),
    Fault(MSE, "-dx", "dx.copy()", target="sign"),
]
