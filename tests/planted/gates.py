"""The SE block and other paths that meet: residual, and what it is made of."""

import numpy as np

from planted.fault import Code, Fault, normal


def scale_forward(x, s):
    """(N, C, H, W), (N, C) -> (N, C, H, W)."""
    return x * s[:, :, None, None], (x, s)


def scale_backward(dout, cache):
    x, s = cache
    dx = dout * s[:, :, None, None]
    ds = (dout * x).sum(axis=(2, 3))
    return dx, ds


def excitation_forward(z, w1, w2):
    """(N, C), (C, M), (M, C) -> (N, C)."""
    a = np.maximum(z @ w1, 0)
    s = 1 / (1 + np.exp(-(a @ w2)))
    return s, (z, w1, a, w2, s)


def excitation_backward(dout, cache):
    z, w1, a, w2, s = cache
    dg = dout * s * (1 - s)
    dh = (dg @ w2.T) * (a > 0)
    return dh @ w1.T, z.T @ dh, a.T @ dg


def se_forward(x, w1, w2):
    """(N, C, H, W), (C, M), (M, C) -> (N, C, H, W)."""
    z = x.mean(axis=(2, 3))
    s, gate = excitation_forward(z, w1, w2)
    return x * s[:, :, None, None], (x, s, gate)


def se_backward(dout, cache):
    x, s, gate = cache
    H, W = x.shape[2:]
    ds = (dout * x).sum(axis=(2, 3))
    dz, dw1, dw2 = excitation_backward(ds, gate)
    dx = dout * s[:, :, None, None] + dz[:, :, None, None] / (H * W)
    return dx, dw1, dw2


def residual_se_forward(x, w1, w2):
    """As `se`, with x added, and tanh for a gate between −1 and 1."""
    z = x.mean(axis=(2, 3))
    a = np.maximum(z @ w1, 0)
    s = np.tanh(a @ w2)
    return x + x * s[:, :, None, None], (x, z, a, s, w1, w2)


def residual_se_backward(dout, cache):
    x, z, a, s, w1, w2 = cache
    H, W = x.shape[2:]
    ds = (dout * x).sum(axis=(2, 3))
    dg = ds * (1 - s**2)
    dh = (dg @ w2.T) * (a > 0)
    dx = dout + dout * s[:, :, None, None] + (dh @ w1.T)[:, :, None, None] / (H * W)
    return dx, z.T @ dh, a.T @ dg


def residual_forward(x, w):
    """(N, D), (D, D) -> (N, D)."""
    h = np.tanh(x @ w)
    return x + h, (x, w, h)


def residual_backward(dout, cache):
    x, w, h = cache
    dh = dout * (1 - h**2)
    dx = dout + dh @ w.T
    dw = x.T @ dh
    return dx, dw


SCALE = Code(scale_forward, scale_backward, normal((2, 3, 4, 5), (2, 3)))
EXCITATION = Code(excitation_forward, excitation_backward, normal((3, 5), (5, 4), (4, 5)))
SE = Code(se_forward, se_backward, normal((2, 4, 3, 5), (4, 3), (3, 4)))
RESIDUAL_SE = Code(residual_se_forward, residual_se_backward, normal((2, 4, 3, 4), (4, 3), (3, 4)))
RESIDUAL = Code(residual_forward, residual_backward, normal((4, 5), (5, 5)))

FAULTS = [
    Fault(SCALE, "dout * s[:, :, None, None]", "dout", x="right when multiplied by s"),
    Fault(SCALE, ".sum(axis=(2, 3))", ".mean(axis=(2, 3))", s="1/(H·W)"),
    Fault(
        EXCITATION,
        " * s * (1 - s)",
        "",
        z="multiplied by y·(1 − y)",
        w1="slope of sigmoid at the output",
        w2="slope of sigmoid at the output",
    ),
    Fault(EXCITATION, " * (a > 0)", "", z="", w1=""),
    Fault(SE, " + dz[:, :, None, None] / (H * W)", "", x="a squeeze and its gate, left out"),
    Fault(SE, "dz[:, :, None, None] / (H * W)", "dz[:, :, None, None]", x="factor 15 = H·W"),
    Fault(
        SE,
        "dout * s[:, :, None, None] + ",
        "0 * dout + ",
        x="dy times a factor that depends on axes 0 and 1",
    ),
    Fault(SE, "(dout * x).sum(", "(dout * x).mean(", x="factor", w1="1/(H·W)", w2="1/(H·W)"),
    Fault(
        SE,
        "ds = (dout * x)",
        "ds = dout",
        x="is there, but wrong",
        w1="",
        w2="",
    ),
    Fault(RESIDUAL_SE, "(1 - s**2)", "s * (1 - s)", x="is there, but wrong", w1="", w2=""),
    Fault(
        RESIDUAL_SE,
        "dout + dout * s[:, :, None, None] + (dh @ w1.T)[:, :, None, None] / (H * W)",
        "dout * s[:, :, None, None]",
        x="two things lack: dy itself",
    ),
    Fault(RESIDUAL, "dout + dh @ w.T", "dh @ w.T", x="a term is missing: dy itself"),
    Fault(RESIDUAL, " * (1 - h**2)", "", x="", w=""),
    Fault(RESIDUAL, "dout + dh @ w.T", "dout + dh @ w", x="w transposed"),
]
