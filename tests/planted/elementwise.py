"""Activations, and the mask of a dropout."""

import math

import numpy as np

from planted.fault import Code, Fault, normal

erf = np.vectorize(math.erf)


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    x = cache
    return dout * (x > 0)


def leaky_relu_forward(x, alpha):
    return np.where(x > 0, x, alpha * x), (x, alpha)


def leaky_relu_backward(dout, cache):
    x, alpha = cache
    return dout * np.where(x > 0, 1, alpha)


def tanh_forward(x):
    y = np.tanh(x)
    return y, (x, y)


def tanh_backward(dout, cache):
    x, y = cache
    return dout * (1 - y**2)


def sigmoid_forward(x):
    y = 1 / (1 + np.exp(-x))
    return y, (x, y)


def sigmoid_backward(dout, cache):
    x, y = cache
    return dout * (y * (1 - y))


def softplus_forward(x):
    return np.log(1 + np.exp(x)), x


def softplus_backward(dout, cache):
    x = cache
    return dout / (1 + np.exp(-x))


def gelu_forward(x):
    phi = (1 + erf(x / np.sqrt(2))) / 2
    return x * phi, (x, phi)


def gelu_backward(dout, cache):
    x, phi = cache
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return dout * (phi + x * density)


def dropout_forward(x, mask, keep):
    return x * mask / keep, (mask, keep)


def dropout_backward(dout, cache):
    mask, keep = cache
    return dout * mask / keep


def kept(rng):
    return rng.random((4, 6)) < 0.6


RELU = Code(relu_forward, relu_backward, normal((4, 6)))
LEAKY = Code(leaky_relu_forward, leaky_relu_backward, normal((4, 6), 0.1))
TANH = Code(tanh_forward, tanh_backward, normal((4, 6)))
SIGMOID = Code(sigmoid_forward, sigmoid_backward, normal((4, 6)))
SOFTPLUS = Code(softplus_forward, softplus_backward, normal((4, 6)))
GELU = Code(gelu_forward, gelu_backward, normal((4, 6)))
DROPOUT = Code(dropout_forward, dropout_backward, normal((4, 6), kept, 0.6))

FAULTS = [
    Fault(RELU, " * (x > 0)", "", x="only where x is negative"),
    Fault(RELU, "(x > 0)", "(dout > 0)", x="where dy is positive"),
    Fault(RELU, "(x > 0)", "(x < 0)", x="mask the wrong way round"),
    Fault(LEAKY, "np.where(x > 0, 1, alpha)", "(x > 0)", x="where x is negative (backward says 0"),
    Fault(LEAKY, "1, alpha", "alpha, 1", x="two sides of 0 exchanged"),
    Fault(TANH, "(1 - y**2)", "1", x="the slope of tanh, 1 − y², is left out"),
    Fault(TANH, "(1 - y**2)", "(1 - y)", x="slope of tanh, 1 − y², but backward has 1 − y"),
    Fault(TANH, "(1 - y**2)", "(1 - x**2)", x="slope of tanh, 1 − y², but backward has 1 − x²"),
    Fault(TANH, "(1 - y**2)", "y * (1 - y)", x="slope of tanh, 1 − y², but backward has y·(1 − y)"),
    Fault(SIGMOID, "(y * (1 - y))", "1", x="the slope of sigmoid, y·(1 − y), is left out"),
    Fault(SIGMOID, "(y * (1 - y))", "y", x="slope of sigmoid, y·(1 − y), but backward has y"),
    Fault(SIGMOID, "y * (1 - y)", "x * (1 - x)", x="y·(1 − y), but backward has x·(1 − x)"),
    Fault(SIGMOID, "(y * (1 - y))", "(1 - y**2)", x="y·(1 − y), but backward has 1 − y²"),
    Fault(SOFTPLUS, "np.exp(-x)", "np.exp(x)", x="slope of softplus, σ(x), but backward has 1 − σ"),
    Fault(GELU, " + x * density", "", x="slope of GELU, Φ(x) + x·φ(x), but backward has Φ(x)"),
    Fault(GELU, "phi + x * density", "phi + density", x="slope of GELU, Φ(x) + x·φ(x)"),
    Fault(DROPOUT, " * mask", "", x="only where mask is 0"),
    Fault(DROPOUT, " / keep", "", x="factor 0.6 = keep"),
]
