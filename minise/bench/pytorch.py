"""PyTorch's side of each case. Only this module and its nets import PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minise import backend, models
from minise.arrays import Array
from minise.bench.case import Arrays, Side, Variant
from minise.bench.ours import LR
from minise.bench.pytorch_nets import NETS, SEBlock
from minise.nn import SEBlock as OurSEBlock


def batch_norm_relu(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.relu(F.batch_norm(x, None, None, w, b, training=True))


def scale_add_relu(x: Tensor, s: Tensor, r: Tensor) -> Tensor:
    return F.relu(x * s[:, :, None, None] + r)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "batch_norm_relu": batch_norm_relu,
    "conv2d": F.conv2d,
    "linear": F.linear,
    "max_pool2d": F.max_pool2d,
    "scale_add_relu": scale_add_relu,
}


class PyTorch:
    """Eager or compiled, with its images and filters in NCHW or in channels_last."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant

    def operation(self, name: str, arrays: Arrays, options: Mapping[str, Any]) -> Side:
        """The function, and `torch.autograd.grad` for all its inputs."""

        def function(*inputs: Tensor) -> Tensor:
            return FUNCTIONS[name](*inputs, **options)

        tensors = {k: self._place(array) for k, array in arrays.items()}
        dy = tensors.pop("dy")
        return self._with_gradients(
            function, list(tensors.values()), dy, [f"d{k}" for k in tensors]
        )

    def se_block(self, channels: int, reduction: float, arrays: Arrays) -> Side:
        """The block of three layers, a mean and a product."""
        block = SEBlock(channels, reduction).to(device())
        load(block, OurSEBlock(channels, reduction).state_dict())
        parameters = dict(block.named_parameters())
        x, dy = self._place(arrays["x"]), self._place(arrays["dy"])

        def function(x: Tensor, *_: Tensor) -> Tensor:
            return block(x)

        return self._with_gradients(
            function, [x, *parameters.values()], dy, ["dx", *parameters.keys()]
        )

    def step(self, net: str, arrays: Arrays) -> Side:
        """The usual training loop."""
        trainer = Trainer(net, self.variant)
        x, labels = trainer.place(arrays)

        def numbers() -> Arrays:
            trainer.step(x, labels)  # twice, as ours
            scores, loss = trainer.step(x, labels)
            gradients = {name: to_numpy(p.grad) for name, p in trainer.net.named_parameters()}
            return {"scores": to_numpy(scores), "loss": to_numpy(loss), **gradients}

        return Side(lambda: trainer.step(x, labels), numbers)

    def evaluated(self, net: str, arrays: Arrays) -> Side:
        """In evaluation mode, and without anything kept for a backward."""
        ready = made(net, self.variant).eval()
        forward = self._compiled(ready)
        x = self._place(arrays["x"])

        def call() -> Tensor:
            with torch.inference_mode():
                return forward(x)

        return Side(call, lambda: {"scores": to_numpy(call())})

    def _with_gradients(
        self,
        function: Callable[..., Tensor],
        inputs: list[Tensor],
        dy: Tensor,
        names: list[str],
    ) -> Side:
        function = self._compiled(function)
        for tensor in inputs:
            tensor.requires_grad_()

        def call() -> tuple[Tensor, tuple[Tensor, ...]]:
            y = function(*inputs)
            return y, torch.autograd.grad(y, inputs, dy)

        def numbers() -> Arrays:
            y, gradients = call()
            results = zip(names, map(to_numpy, gradients), strict=True)
            return {"y": to_numpy(y), **dict(results)}

        return Side(call, numbers)

    def _place(self, array: Array) -> Tensor:
        return placed(array, self.variant)

    def _compiled(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return compiled(function, self.variant)


class Trainer:
    """A net and its optimiser, ready to take steps."""

    def __init__(self, net: str, variant: Variant) -> None:
        self.net, self.variant = made(net, variant), variant
        # its fastest form; the default on a processor is its slowest, and before 2.4 its only one
        fused = torch.__version__ >= "2.4"  # a TorchVersion: compared by its numbers
        self.optimizer = torch.optim.SGD(self.net.parameters(), LR, momentum=0.9, fused=fused)
        self.forward: Callable[..., tuple[Tensor, Tensor]] = compiled(self._forward, variant)

    def place(self, arrays: Arrays) -> tuple[Tensor, Tensor]:
        """Images and labels in this library's memory layout."""
        return placed(arrays["x"], self.variant), torch.tensor(arrays["labels"], device=device())

    def step(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Forward, loss, backward, and the optimiser's step; gives scores and loss."""
        scores, loss = self.forward(x, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return scores, loss

    def give_memory_back(self) -> None:
        """Give memory kept for new tensors back to the system."""
        give_memory_back()

    def _forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.net(x)
        return scores, F.cross_entropy(scores, labels)


def can_be_used() -> bool:
    """Whether PyTorch can compute where minise does."""
    return not backend.current().on_gpu or torch.cuda.is_available()


def device() -> torch.device:
    """Where minise computes too."""
    if not backend.current().on_gpu:
        return torch.device("cpu")
    import cupy

    return torch.device("cuda", cupy.cuda.Device().id)


def set_up(threads: int) -> Callable[[], None]:
    """As many threads as minise has; on a GPU full float32, and the fastest convolutions tried.

    PyTorch would otherwise round the factors of a convolution to TF32, 10 bits instead of 23,
    which minise does not do. Returns what puts the number of threads back.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    if device().type == "cuda":
        torch.cuda.set_device(device())
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
    return lambda: torch.set_num_threads(before)


def give_memory_back() -> None:
    """Give back the memory of dead tensors on a GPU, which PyTorch keeps for new ones."""
    if device().type == "cuda":
        torch.cuda.empty_cache()


def compiled(function: Callable[..., Any], variant: Variant) -> Callable[..., Any]:
    """The function itself, or compiled by PyTorch."""
    if not variant.compiled:
        return function
    return torch.compile(
        function, dynamic=False, mode="reduce-overhead" if variant.graphs else None
    )


def forget_compiled() -> None:
    """Between cases: beyond eight versions of a function PyTorch would silently run it eagerly."""
    torch.compiler.reset()


def placed(array: Array, variant: Variant) -> Tensor:
    """A copy as a tensor, images and filters in the layout of the variant."""
    tensor = torch.tensor(array, device=device())
    if variant.channels_last and tensor.ndim == 4:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


def made(net: str, variant: Variant) -> nn.Module:
    """The named net with minise's weights."""
    module = NETS[net]().to(device())
    load(module, models.create(net).state_dict())
    return module.to(memory_format=torch.channels_last) if variant.channels_last else module


def load(module: nn.Module, state: Mapping[str, Array]) -> None:
    """Copy minise's state; what only PyTorch counts (num_batches_tracked) stays."""
    module.load_state_dict({name: torch.tensor(a) for name, a in state.items()}, strict=False)


def to_numpy(tensor: Tensor) -> Array:
    """A copy: the next call may change the tensor."""
    array: Array = tensor.detach().cpu().numpy().copy()
    return array
