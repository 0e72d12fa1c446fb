"""How parameters move along their gradients.

Weight decay acts on weight matrices and filters alone, not on biases and batch normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from minise.arrays import Array, array_module, asnumpy
from minise.backend import current
from minise.errors import InputError
from minise.nn import Parameter, differences


class Optimizer:
    """Holds the parameters; `step()` moves each by its `grad`. `lr` may be set between steps.

    On a GPU `step` may be given `finite`, an array of one integer: it becomes 0 where a gradient is
    not finite, and as long as it is 0 nothing moves. So there is no need to wait for the answer.
    """

    def __init__(self, parameters: Iterable[Parameter], lr: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        if not self.parameters:
            raise InputError(f"{type(self).__name__}: no parameters to optimise")
        if not (0 <= lr < math.inf and 0 <= weight_decay < math.inf):
            raise InputError(
                f"{type(self).__name__}: lr {lr}, weight_decay {weight_decay}: expected 0 or more"
            )

        first = self.parameters[0].value
        self._rate = array_module(first).zeros((), first.dtype)  # the lr, where kernels read it
        self.lr = lr

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = lr
        self._rate.fill(lr)

    def step(self, finite: Array | None = None) -> None:
        """Move every parameter in place."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def state_dict(self) -> dict[str, Array]:
        """Copies of the arrays kept between steps, by name, as in "velocity.0": NumPy arrays."""
        return {name: asnumpy(array).copy() for name, array in self._memory()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Restore what `state_dict` gave.

        Raises an `InputError` that lists what is missing, unexpected or of another shape, and
        changes nothing then.
        """
        own = dict(self._memory())
        if wrong := differences(own, state):
            raise InputError(f"state of {type(self).__name__} does not fit:\n{wrong}")
        for name, array in own.items():
            array[...] = array_module(array).asarray(state[name]).reshape(array.shape)

    def _memory(self) -> Iterator[tuple[str, Array]]:
        """The arrays kept between steps, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no memory")

    def _decay_of(self, parameter: Parameter) -> float:
        return self.weight_decay if parameter.value.ndim > 1 else 0.0


class SGD(Optimizer):
    """Stochastic gradient descent with momentum μ, as in Sutskever et al. (2013) and PyTorch.

    v ← μ v + dw,   w ← w − lr · v      with Nesterov: w ← w − lr · (dw + μ v)

    where dw is the gradient plus weight_decay · w.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        if not 0 <= momentum < 1 or (nesterov and momentum == 0):
            raise InputError(
                f"SGD: momentum {momentum}, expected 0 <= momentum < 1, above 0 for nesterov"
            )
        self.momentum, self.nesterov = float(momentum), nesterov  # no whole number for a kernel
        self._velocity = _zeros_for(self.parameters)

    def step(self, finite: Array | None = None) -> None:
        """Move every parameter in place."""
        values, grads = _arrays_of(self.parameters)
        if kernel := current().find("optimizers.sgd", values[0]):
            decays = [self._decay_of(p) for p in self.parameters]
            how = (decays, self._rate, self.momentum, self.nesterov, finite)
            kernel(values, grads, self._velocity, *how)
            return
        for parameter, v in zip(self.parameters, self._velocity, strict=True):
            g = parameter.grad
            if decay := self._decay_of(parameter):
                g = g + decay * parameter.value
            v *= self.momentum
            v += g
            parameter.value -= self.lr * (g + self.momentum * v if self.nesterov else v)

    def _memory(self) -> Iterator[tuple[str, Array]]:
        return ((f"velocity.{k}", v) for k, v in enumerate(self._velocity))


class AdamW(Optimizer):
    """Adam with weight decay decoupled from the gradient (Loshchilov & Hutter 2019, algorithm 2).

    m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
    w ← w − lr · (m̂ / (√v̂ + eps) + weight_decay · w)        m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise InputError(f"AdamW: betas {betas}, expected 0 <= beta < 1")
        self.betas, self.eps = (float(betas[0]), float(betas[1])), float(eps)
        xp = array_module(self.parameters[0].value)
        self._steps = xp.zeros((), float)  # a float, like everything in a state
        self._m, self._v = _zeros_for(self.parameters), _zeros_for(self.parameters)

    def step(self, finite: Array | None = None) -> None:
        """Move every parameter in place."""
        values, grads = _arrays_of(self.parameters)
        self._steps += 1 if finite is None else finite
        if kernel := current().find("optimizers.adamw", values[0]):
            decays = [self._decay_of(p) for p in self.parameters]
            how = (decays, self._rate, self._steps, self.betas, self.eps, finite)
            kernel(values, grads, self._m, self._v, *how)
            return
        steps, (beta1, beta2) = float(self._steps), self.betas
        for parameter, m, v in zip(self.parameters, self._m, self._v, strict=True):
            g = parameter.grad
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            m_hat = m / (1 - beta1**steps)
            v_hat = v / (1 - beta2**steps)
            parameter.value *= 1 - self.lr * self._decay_of(parameter)
            root = array_module(v_hat).sqrt(v_hat)
            parameter.value -= self.lr * m_hat / (root + self.eps)

    def _memory(self) -> Iterator[tuple[str, Array]]:
        yield "steps", self._steps
        for k, (m, v) in enumerate(zip(self._m, self._v, strict=True)):
            yield f"m.{k}", m
            yield f"v.{k}", v


def _arrays_of(parameters: list[Parameter]) -> tuple[list[Array], list[Array]]:
    return [p.value for p in parameters], [p.grad for p in parameters]


def _zeros_for(parameters: list[Parameter]) -> list[Array]:
    return [array_module(p.value).zeros_like(p.value) for p in parameters]
