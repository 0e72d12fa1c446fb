"""Affine maps and penalties."""

import numpy as np

from planted.fault import Code, Fault, normal


def affine_forward(x, w, b):
    """(N, D), (D, F), (F,) -> (N, F)."""
    out = x @ w + b
    return out, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def image_affine_forward(x, w, b):
    """(N, C, H, W), (C·H·W, F), (F,) -> (N, F)."""
    out = x.reshape(len(x), -1) @ w + b
    return out, (x, w)


def image_affine_backward(dout, cache):
    x, w = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def l2_forward(w, reg):
    return reg * np.sum(w * w), (w, reg)


def l2_backward(dout, cache):
    w, reg = cache
    dw = 2 * reg * w
    return dout * dw


def ridge_forward(x, w, reg):
    """(N, D), (D, F): the mean of squares, and a penalty."""
    out = x @ w
    loss = np.mean(out * out) + reg * np.sum(w * w)
    return loss, (x, w, reg, out)


def ridge_backward(dout, cache):
    x, w, reg, out = cache
    dy = 2 * out / out.size
    dx = dy @ w.T
    dw = x.T @ dy + 2 * reg * w
    return dout * dx, dout * dw


AFFINE = Code(affine_forward, affine_backward, normal((5, 4), (4, 3), (3,)))
SQUARE = AFFINE.on("w square", (4, 4), (4, 4), (4,))
IMAGES = Code(image_affine_forward, image_affine_backward, normal((3, 2, 3, 4), (24, 5), (5,)))
L2 = Code(l2_forward, l2_backward, normal((4, 3), 0.05))
RIDGE = Code(ridge_forward, ridge_backward, normal((5, 4), (4, 3), 0.05))

FAULTS = [
    Fault(SQUARE, "dout @ w.T", "dout @ w", x="w transposed"),
    Fault(SQUARE, "x.T @ dout", "dout.T @ x", w="transposed: right with axes 0 and 1 swapped"),
    Fault(SQUARE, "x.T @ dout", "x @ dout", w="x transposed"),
    Fault(SQUARE, "dout.sum(axis=0)", "dout.sum(axis=1)", b="summed over axis 1"),
    Fault(
        SQUARE,
        "return dx, dw, db",
        "return dw, dx, db",
        x="exchanged with that of w",
        w="exchanged with that of x",
    ),
    Fault(AFFINE, "return dx, dw, db", "return dw, dx, db", x="that of w", w="that of x"),
    Fault(AFFINE, "x.T @ dout", "dout.T @ x", w="transposed"),
    Fault(AFFINE, "dout.sum(axis=0)", "dout.mean(axis=0)", b="1/(N)"),
    Fault(AFFINE, "dout.sum(axis=0)", "dout[0]", b="dy of the first place alone"),
    Fault(AFFINE, "x.T @ dout", "x.T @ dout / len(x)", w="1/(N)"),
    Fault(IMAGES, ".reshape(x.shape)", '.reshape(x.shape, order="F")', x="in the other order"),
    Fault(
        IMAGES,
        "x.reshape(len(x), -1).T",
        "x.T.reshape(-1, len(x))",
        w="right numbers in wrong places",
    ),
    Fault(L2, "2 * reg * w", "reg * w", w="factor 0.5"),
    Fault(L2, "2 * reg * w", "2 * w", w="1/reg"),
    Fault(RIDGE, "2 * reg * w", "reg * w", w="reg·w"),
    Fault(RIDGE, "2 * reg * w", "2 * w", w="reg"),
    Fault(RIDGE, " + 2 * reg * w", "", w="2·reg·w"),
    Fault(RIDGE, "2 * out / out.size", "out / out.size", x="factor 0.5", w=""),
]
