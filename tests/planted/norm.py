"""Normalisations."""

import numpy as np

from planted.fault import Code, Fault, normal


def batchnorm_forward(x, gamma, beta, eps):
    """(N, D), (D,), (D,) -> (N, D)."""
    mu = x.mean(axis=0)
    xmu = x - mu
    var = (xmu**2).mean(axis=0)
    ivar = 1 / np.sqrt(var + eps)
    xhat = xmu * ivar
    return gamma * xhat + beta, (x, xhat, xmu, ivar, gamma)


def batchnorm_backward(dout, cache):
    x, xhat, xmu, ivar, gamma = cache
    N = len(xhat)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    dvar = (dxhat * xmu).sum(axis=0) * -0.5 * ivar**3
    dmu = -(dxhat * ivar).sum(axis=0)
    dx = dxhat * ivar + dvar * 2 * xmu / N + dmu / N
    return dx, dgamma, dbeta


def spatial_batchnorm_forward(x, gamma, beta, eps):
    """(N, C, H, W), (C,), (C,) -> (N, C, H, W)."""
    axes, C = (0, 2, 3), x.shape[1]
    mu = x.mean(axis=axes, keepdims=True)
    ivar = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    xhat = (x - mu) * ivar
    return gamma.reshape(1, C, 1, 1) * xhat + beta.reshape(1, C, 1, 1), (xhat, ivar, gamma)


def spatial_batchnorm_backward(dout, cache):
    xhat, ivar, gamma = cache
    axes = (0, 2, 3)
    dbeta = dout.sum(axis=axes)
    dgamma = (dout * xhat).sum(axis=axes)
    dxhat = dout * gamma[:, None, None]
    mean = dxhat.mean(axis=axes, keepdims=True)
    along = xhat * (dxhat * xhat).mean(axis=axes, keepdims=True)
    dx = ivar * (dxhat - mean - along)
    return dx, dgamma, dbeta


def layernorm_forward(x, gamma, beta, eps):
    """(N, D), (D,), (D,) -> (N, D)."""
    mu = x.mean(axis=1, keepdims=True)
    ivar = 1 / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    xhat = (x - mu) * ivar
    return gamma * xhat + beta, (xhat, ivar, gamma)


def layernorm_backward(dout, cache):
    xhat, ivar, gamma = cache
    dbeta = dout.sum(axis=0)
    dgamma = (dout * xhat).sum(axis=0)
    dxhat = dout * gamma
    mean = dxhat.mean(axis=1, keepdims=True)
    along = xhat * (dxhat * xhat).mean(axis=1, keepdims=True)
    dx = ivar * (dxhat - mean - along)
    return dx, dgamma, dbeta


BATCH = Code(batchnorm_forward, batchnorm_backward, normal((6, 3), (3,), (3,), 1e-5))
SPATIAL = Code(
    spatial_batchnorm_forward, spatial_batchnorm_backward, normal((2, 3, 3, 4), (3,), (3,), 1e-5)
)
LAYER = Code(layernorm_forward, layernorm_backward, normal((4, 6), (6,), (6,), 1e-5))

FAULTS = [
    Fault(BATCH, " + dmu / N", "", x="the same for all of axis 0: the path through the mean"),
    Fault(BATCH, "dmu / N", "dmu", x="the path through the mean"),
    Fault(BATCH, " + dvar * 2 * xmu / N", "", x="lies along x − mean(x)"),
    Fault(BATCH, "dvar * 2 * xmu", "dvar * xmu", x="lies along x − mean(x)"),
    Fault(BATCH, " + dvar * 2 * xmu / N + dmu / N", "", x="the statistics, mean and variance"),
    Fault(BATCH, "dout * gamma", "dout", x="right when multiplied by gamma"),
    Fault(BATCH, "(dout * xhat).sum", "dout.sum", gamma="the gradient of beta"),
    Fault(BATCH, "(dout * xhat).sum", "(dout * x).sum", gamma="Σ dy·x"),
    Fault(
        BATCH,
        "return dx, dgamma, dbeta",
        "return dx, dbeta, dgamma",
        gamma="exchanged",
        beta="exchanged",
    ),
    Fault(
        SPATIAL,
        " - mean - along",
        " - along",
        x="the same for all of a channel (N, H, W): the path through the mean of",
    ),
    Fault(SPATIAL, " - mean - along", " - mean", x="lies along x − mean(x)"),
    Fault(SPATIAL, " - mean - along", "", x="the statistics, mean and variance"),
    Fault(SPATIAL, "ivar * (", "(", x="depends on axis 1 alone"),
    Fault(SPATIAL, "dout.sum(axis=axes)", "dout.mean(axis=axes)", beta="1/(N·H·W)"),
    Fault(LAYER, " - mean - along", " - along", x="the same for all of axis 1"),
    Fault(LAYER, " - mean - along", " - mean", x="lies along x − mean(x)"),
    Fault(LAYER, "dout * gamma", "dout", x="right for dy·gamma"),
    Fault(LAYER, "ivar * (dxhat", "(dxhat", x="depends on axis 0 alone"),
]
