"""Code of PyTorch: a `torch.autograd.Function`, a `torch.nn.Module`, a function of tensors.

What its backward, or autograd, says is held against differences. It runs on the CPU in double
precision, and what is random in it is drawn alike each time, from a seed of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import numpy as np
import torch

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.forms.inputs import named_inputs
from minise.gradcheck.forms.objects import takes_nothing
from minise.gradcheck.forms.outputs import join, split
from minise.gradcheck.forms.trees import leaves, mapped
from minise.gradcheck.subject import Gradients, Subject, is_float, name_of

HABITS = frozenset(
    {"inputs kept", "called twice", "linear in dy", "used twice in a net", "memory orders"}
    | {"one forward"}
)
# Two, or a mask that backward draws anew would be the one of forward.
FORWARD_SEED, BACKWARD_SEED = 1, 2


def of_pytorch(
    given: Any, inputs: tuple[Any, ...], training: bool, loss: Any, names: Sequence[str] | None
) -> OfPyTorch:
    """The subject for it."""
    owner = getattr(given, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        given = owner  # of F.apply
    if isinstance(given, type) and issubclass(given, torch.nn.Module):
        if not takes_nothing(given):
            raise InputError(
                f"gradcheck: {given.__name__} is a class that needs arguments: give an object, as "
                f"in {given.__name__}(…)"
            )
        given = given()
    if isinstance(given, torch.nn.Module):
        return ModuleOfPyTorch(given, inputs, training, loss, names)
    if loss is not None:
        raise InputError("gradcheck: loss= is for layers; put the loss into the function")
    return OfPyTorch(given, inputs, names)


class OfPyTorch(Subject):
    """A function of tensors, whose backward is autograd's, or a Function with one of its own.

    Of tensors among which some require a gradient, only these are differentiated; otherwise all
    of floating point are. An input for which backward gives None has the gradient 0.
    """

    habits = HABITS

    def __init__(
        self, given: Any, inputs: tuple[Any, ...], names: Sequence[str] | None = None
    ) -> None:
        self.own = isinstance(given, type)  # a Function
        self.function = given.apply if self.own else given
        self.name = given.__name__ if self.own else name_of(given)
        named = self._named(given, inputs, names)
        self.inputs = mapped(_as_array, named)
        asked = {name for name, value in leaves(named) if getattr(value, "requires_grad", False)}
        self.constant = {name for name, _ in leaves(named) if asked and name not in asked}
        self.variables = self._floats(self.inputs)

    @property
    def given(self) -> tuple[str, ...]:
        """All but a module's parameters."""
        return tuple(self._floats(self.inputs))

    def on(self, inputs: Mapping[str, Any]) -> OfPyTorch:
        """The same function."""
        twin = copy.copy(self)
        twin.inputs = dict(inputs)
        twin.variables = self.variables | self._floats(twin.inputs)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One forward, with autograd recording it."""
        if any(np.iscomplexobj(array) for array in variables.values()):
            raise InputError(
                "gradcheck: complex steps are not for code of PyTorch: leave out method="
            )
        tensors = {name: _variable(array) for name, array in variables.items()}
        outputs = self._forward(tensors)
        shapes = [tuple(y.shape) for y in outputs]
        y = join([_as_numpy(y) for y in outputs])

        def gradients(dy: Any) -> Gradients:
            parts = [_as_tensor(part) for part in split(dy, shapes)]
            both = [
                (y, part.to(y.dtype))
                for y, part in zip(outputs, parts, strict=True)
                if y.requires_grad
            ]
            found: Any = [None] * len(tensors)
            if both:
                found = self._backward([y for y, _ in both], tensors, [part for _, part in both])
            return {
                name: np.zeros(tensor.shape) if gradient is None else _as_numpy(gradient)
                for (name, tensor), gradient in zip(tensors.items(), found, strict=True)
            }

        return y, gradients

    def other_path(self, variables: Mapping[str, Array]) -> Any:
        """The output under `torch.no_grad()`."""
        with torch.no_grad():
            outputs = self._forward({name: _as_tensor(a) for name, a in variables.items()})
        return join([_as_numpy(y) for y in outputs])

    def _backward(self, outputs: list[Any], tensors: Mapping[str, Any], dy: list[Any]) -> Any:
        try:
            with _seeded(BACKWARD_SEED):
                return torch.autograd.grad(
                    outputs, list(tensors.values()), dy, retain_graph=True, allow_unused=True
                )
        except RuntimeError as error:
            if "Backward returned an " not in str(error):  # invalid gradient, incorrect number
                raise
            raise InputError(f"gradcheck: {self.name}: {error}") from error

    def _forward(self, tensors: Mapping[str, Any]) -> list[Any]:
        """Its outputs of floating point."""

        def result(of: Callable[[Any], Any]) -> Any:
            def tensor(name: str, value: Any) -> Any:
                return of(tensors[name]) if name in tensors else _as_tensor(copy.deepcopy(value))

            with _seeded(FORWARD_SEED):
                return self._call([mapped(tensor, v, n) for n, v in self.inputs.items()], tensors)

        before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        try:
            returned = result(lambda x: x)
        except RuntimeError as error:
            if "a leaf Variable that requires grad" not in str(error):
                raise
            for name, tensor in tensors.items():
                tensor.detach().copy_(before[name])
            returned = result(torch.clone)  # what writes into its input, and says so, may
        outputs = [y for _, y in leaves(returned) if torch.is_tensor(y) and y.is_floating_point()]
        if self.own and any(y.requires_grad for y in outputs):
            outputs = [y for y in outputs if y.requires_grad]  # the rest is marked otherwise
        if not outputs:
            raise InputError(f"gradcheck: {self.name} returned no tensor of floating point")
        return outputs

    def _call(self, arguments: list[Any], tensors: Mapping[str, Any]) -> Any:
        return self.function(*arguments)

    def _named(
        self, given: Any, inputs: tuple[Any, ...], names: Sequence[str] | None
    ) -> dict[str, Any]:
        if self.own:
            takes_ctx = given.setup_context is torch.autograd.Function.setup_context
            given = partial(given.forward, None) if takes_ctx else given.forward
        return named_inputs(given, inputs, names)

    def _floats(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        return {
            name: value.copy()
            for name, value in leaves(inputs)
            if is_float(value) and name not in self.constant
        }


class ModuleOfPyTorch(OfPyTorch):
    """A module, with its parameters that require a gradient; in the mode that `training` says.

    A `loss` is a function of its output and of the inputs after the first.
    """

    habits = HABITS | {"parameters found"}
    said: tuple[str, ...] = ()

    def __init__(
        self,
        module: Any,
        inputs: tuple[Any, ...],
        training: bool,
        loss: Any = None,
        names: Sequence[str] | None = None,
    ) -> None:
        try:
            self.module = copy.deepcopy(module).to("cpu", torch.float64).train(training)
        except RuntimeError as error:  # it holds a tensor that autograd has recorded
            raise InputError(
                f"gradcheck: {type(module).__name__} cannot be copied: {error}: "
                "give it as it was made, before a forward"
            ) from error
        for _, held in _held(self.module):  # what `to` does not find
            if isinstance(held, torch.nn.Module):
                held.to("cpu", torch.float64)
            elif held.is_floating_point():
                held.data = held.data.to("cpu", torch.float64)
        self.training, self.loss = training, loss
        parameters = {n: p for n, p in self.module.named_parameters() if p.requires_grad}
        self.parameters = {name: _as_numpy(p).copy() for name, p in parameters.items()}
        super().__init__(module, inputs, names)
        self.name = type(module).__name__
        if hasattr(module, "backward"):
            self.said = (
                f"autograd does not call the backward of {self.name}, and it was not checked: "
                "a torch.autograd.Function is where it belongs",
            )
        if loss is not None:
            self.constant |= set(list(self.inputs)[1:])
        self.variables = self._floats(self.inputs) | self.parameters

    def fresh(self) -> ModuleOfPyTorch:
        """A copy with its own averages and generators; the parameters are passed to each run."""
        twin = copy.copy(self)
        shared: dict[int, Any] = {id(p): p for p in self.module.parameters()}
        twin.module = copy.deepcopy(self.module, shared)
        return twin

    def state(self) -> dict[str, Array]:
        """Its buffers, such as running averages."""
        return {name: _as_numpy(b).copy() for name, b in self.module.named_buffers()}

    def overlooked(self) -> list[str]:
        """Lists, tuples and dictionaries: a module finds only what is an attribute itself."""
        found = {id(each) for each in (*self.module.modules(), *self.module.parameters())}
        layers = torch.nn.Module | torch.nn.Parameter
        names = [
            name
            for name, held in _held(self.module)
            if isinstance(held, layers) and id(held) not in found
        ]
        return list(dict.fromkeys(names))

    def _call(self, arguments: list[Any], tensors: Mapping[str, Any]) -> Any:
        parameters = {n: tensors[n] for n, _ in self.module.named_parameters() if n in tensors}
        taken = arguments if self.loss is None else arguments[:1]
        y = torch.func.functional_call(self.module, parameters, tuple(taken))
        return y if self.loss is None else self.loss(y, *arguments[1:])

    def _named(
        self, given: Any, inputs: tuple[Any, ...], names: Sequence[str] | None
    ) -> dict[str, Any]:
        if self.loss is None or names is not None:
            named = named_inputs(given.forward, inputs, names)
        else:
            named = named_inputs(given.forward, inputs[:1])
            others = list(named_inputs(self.loss, inputs))[1:]
            named |= dict(zip(others, inputs[1:], strict=True))
        return {f"inputs.{n}" if n in self.parameters else n: x for n, x in named.items()}


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, from arrays to arrays."""

    @wraps(function)
    def called(*inputs: Any, **options: Any) -> Any:
        tensors = mapped(lambda _, value: _as_tensor(value), [list(inputs), options])
        return as_arrays(function(*tensors[0], **tensors[1]))

    return called


def as_arrays(tree: Any) -> Any:
    """With arrays for tensors, of their dtype."""
    return mapped(lambda _, value: _as_numpy(value) if torch.is_tensor(value) else value, tree)


def _held(module: Any) -> Iterator[tuple[str, Any]]:
    """Tensors and modules in its attributes, lists and dictionaries, that PyTorch sees as no part.

    A recurrent layer lists its own parameters; so some may be a part for all that.
    """
    for prefix, part in module.named_modules():
        for name, value in vars(part).items():
            if name not in vars(torch.nn.Module()):
                for _, held in leaves(value):
                    if torch.is_tensor(held) or isinstance(held, torch.nn.Module):
                        yield (f"{prefix}.{name}" if prefix else name), held


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed`; those of the process go on where they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _variable(array: Array) -> Any:
    """A leaf on the array's own memory, so that what writes into it is seen."""
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape).requires_grad_()


def _as_tensor(value: Any) -> Any:
    """An array as a tensor, on its own memory where it has an order that PyTorch knows."""
    if isinstance(value, np.generic):
        return torch.tensor(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiubc":
        return value
    if any(stride < 0 for stride in value.strides):
        value = np.ascontiguousarray(value)
    return torch.from_numpy(value)


def _as_numpy(tensor: Any) -> Array:
    """In its own dtype; NumPy has no bfloat16, whose numbers are float32's."""
    tensor = tensor.detach().cpu()
    tensor = tensor.to_dense() if tensor.layout is not torch.strided else tensor
    array: Array = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    return array


def _as_array(name: str, value: Any) -> Any:
    """Tensors as arrays; those of floating point in float64, or some would not go with others."""
    value = _as_numpy(value) if torch.is_tensor(value) else value
    return value.astype(np.float64) if is_float(value) else value
