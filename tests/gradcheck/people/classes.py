"""Layers as books have them: classes that keep things on self, in three styles."""

import numpy as np


class Affine:
    """Parameters and gradients in lists of the same order; gradients are set where they are."""

    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x = None

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)


class SoftmaxWithLoss:
    def forward(self, x, t):
        p = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = p / p.sum(axis=1, keepdims=True), t
        return -np.log(self.y[np.arange(len(t)), t] + 1e-7).mean()

    def backward(self, dout=1):
        rows, n = np.arange(len(self.t)), len(self.t)
        p = self.y[rows, self.t]
        dx = self.y.copy()
        dx[rows, self.t] -= 1
        return dout * dx * (p / (p + 1e-7))[:, None] / n


class TwoLayers:
    """A list of layers, whose parameters it lists too."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.layers = [
            Affine(rng.standard_normal((3, 4)), rng.standard_normal(4)),
            Relu(),
            Affine(rng.standard_normal((4, 2)), np.zeros(2)),
        ]
        self.params, self.grads = [], []
        for layer in self.layers:
            self.params += layer.params
            self.grads += layer.grads
        self.last = SoftmaxWithLoss()

    def forward(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        return self.last.forward(x, t)

    def backward(self, dout=1):
        dout = self.last.backward(dout)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class Relu:
    params, grads = (), ()

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class Layer_Dense:  # noqa: N801
    """forward sets self.output, and backward the gradients of what forward was given."""

    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.5 * np.random.default_rng(2).standard_normal((n_inputs, n_neurons))
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs, training):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Activation_ReLU:  # noqa: N801
    def forward(self, inputs, training):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues.copy()
        self.dinputs[self.inputs <= 0] = 0


class Loss_CrossEntropy:  # noqa: N801
    """One loss per sample, and in backward the predictions, whose mean it is the gradient of."""

    def forward(self, y_pred, y_true):
        return -np.log(np.clip(y_pred[range(len(y_pred)), y_true], 1e-7, 1 - 1e-7))

    def backward(self, dvalues, y_true):
        samples, labels = dvalues.shape
        self.dinputs = -np.eye(labels)[y_true] / dvalues / samples


class Linear:
    """Gradients in a dictionary, to which backward adds."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.W, self.b = rng.standard_normal((3, 2)), rng.standard_normal(2)
        self.grads = {"W": np.zeros((3, 2)), "b": np.zeros(2)}

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.grads["W"] += self.x.T @ dout
        self.grads["b"] += dout.sum(axis=0)
        return dout @ self.W.T


class Elman:
    """Two outputs, the parameters as attributes."""

    def __init__(self):
        rng = np.random.default_rng(4)
        self.Wx, self.Wh = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))
        self.Wy = rng.standard_normal((4, 2))

    def forward(self, x, h):
        self.x, self.h = x, h
        self.h_next = np.tanh(x @ self.Wx + h @ self.Wh)
        return self.h_next @ self.Wy, self.h_next

    def backward(self, dy, dh_next):
        self.dWy = self.h_next.T @ dy
        da = (dh_next + dy @ self.Wy.T) * (1 - self.h_next**2)
        self.dWx, self.dWh = self.x.T @ da, self.h.T @ da
        return da @ self.Wx.T, da @ self.Wh.T


def affine():
    rng = np.random.default_rng(0)
    return Affine(rng.standard_normal((3, 4)), rng.standard_normal(4))


def dense():
    return Layer_Dense(3, 4)


def affine_inputs(rng):
    return rng.standard_normal((5, 3))


def Loss_CrossEntropy_inputs(rng):
    return rng.dirichlet(np.ones(3), 4), rng.integers(0, 3, 4)


def SoftmaxWithLoss_inputs(rng):
    return rng.standard_normal((4, 3)), rng.integers(0, 3, 4)


def TwoLayers_inputs(rng):
    return rng.standard_normal((4, 3)), rng.integers(0, 2, 4)


def Elman_inputs(rng):
    return rng.standard_normal((2, 3)), rng.standard_normal((2, 4))


dense_inputs = Relu_inputs = Activation_ReLU_inputs = Linear_inputs = affine_inputs
