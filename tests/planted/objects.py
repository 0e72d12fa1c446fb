"""Layers as classes: what they need and their gradients are attributes."""

import numpy as np

from planted.fault import Fault, Thing, normal


class Dense:
    def __init__(self, rng):
        self.W, self.b = rng.standard_normal((4, 4)), rng.standard_normal(4)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class Tanh:
    def __init__(self, rng):
        pass

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


class ReLU:
    def __init__(self, rng):
        pass

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class BatchNorm:
    def __init__(self, rng):
        self.gamma, self.beta = rng.standard_normal(3), rng.standard_normal(3)

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=0) + 1e-5)
        self.xhat = (x - x.mean(axis=0)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        dxhat = dout * self.gamma
        mean = dxhat.mean(axis=0)
        along = self.xhat * (dxhat * self.xhat).mean(axis=0)
        return (dxhat - mean - along) / self.std


DENSE = Thing(Dense, normal((4, 4)))
TANH = Thing(Tanh, normal((4, 6)))
RELU = Thing(ReLU, normal((4, 6)))
BATCH = Thing(BatchNorm, normal((6, 3)))

FAULTS = [
    Fault(DENSE, "dout @ self.W.T", "dout @ self.W", x="W transposed"),
    Fault(DENSE, "self.x.T @ dout", "dout.T @ self.x", W="axes 0 and 1 swapped"),
    Fault(DENSE, "dout.sum(axis=0)", "dout.sum(axis=1)", b="summed over axis 1"),
    Fault(DENSE, "dout.sum(axis=0)", "dout.mean(axis=0)", b="1/(N)"),
    Fault(TANH, "(1 - self.y**2)", "1", x="the slope of tanh, 1 − y², is left out"),
    Fault(TANH, "(1 - self.y**2)", "(1 - self.y)", x="backward has 1 − y"),
    Fault(RELU, "dout * self.mask", "dout", x="only where x is negative"),
    Fault(BATCH, " - mean - along", " - along", x="the path through the mean of the batch"),
    Fault(BATCH, " - mean - along", " - mean", x="lies along x − mean(x)"),
    Fault(BATCH, "(dout * self.xhat)", "dout", gamma="the gradient of beta"),
    Fault(BATCH, "dout * self.gamma", "dout", x="right when multiplied by gamma"),
]
