"""Every operation and every layer that minise has, and one way to call them all.

They come from `minise.gradcheck.EXAMPLES`, so a new one is held to the contract by its example.
"""

import contextvars
import copy
from functools import partial

import backends
import moving
import numpy as np
import pytest
from rows import ROWS

from minise import backend
from minise.gradcheck import EXAMPLES
from minise.nn import Layer

LAYERS = [name for name in EXAMPLES if name[0].isupper()]
OPERATIONS = [name for name in EXAMPLES if name not in LAYERS]
MANY = 19  # images: enough to fill a register of the compiled loops, with some left over


class Subject:
    """An example with `y, backward = forward(*inputs)` and `dx, … = backward(dy)`."""

    def __init__(self, name, dtype=np.float64, images=None):
        self.rng = np.random.default_rng(7)
        example = cast(EXAMPLES[name](self.rng), dtype)
        self.operation = name.split(",")[0]
        self.layer = example.subject if isinstance(example.subject, Layer) else None
        self.pair, self.training, self.inputs = example.subject, example.training, example.inputs
        self.row = ROWS.get(self.operation)
        self.batched = self.row.batched if self.row else 1
        if images is not None:
            self.inputs = self.of_batch(images)

    def of_batch(self, images):
        """Other inputs of the same sizes, for so many images."""
        return tuple(
            self.like(x, (images, *x.shape[1:])) if k < self.batched else x
            for k, x in enumerate(self.inputs)
        )

    def like(self, x, shape=None):
        """Random numbers as x has them: normal ones, or labels."""
        shape = np.shape(x) if shape is None else shape
        if np.issubdtype(x.dtype, np.integer):
            return self.rng.integers(0, x.max() + 1, shape)
        return np.asarray(self.rng.standard_normal(shape), x.dtype)

    def forward(self, *inputs):
        """An operation's backward also has what was saved, as `backward.saved`."""
        if self.layer is not None:
            y, backward_of_layer = self.layer.forward(*inputs, self.training)
            return y, lambda dy: (backward_of_layer(dy),)
        operation, backward_of = self.pair
        if backends.current() == "cupy":
            operation, backward_of = map(moving.moved_there_and_back, self.pair)
        y, saved = operation(*inputs)

        def backward(dy):
            gradients = backward_of(dy, saved)
            return gradients if isinstance(gradients, tuple) else (gradients,)

        backward.saved = saved
        return y, backward

    def twin(self):
        """The same with a layer of its own, and with generators that draw the same again."""
        return copy.deepcopy(self)

    def grads(self):
        parameters = [] if self.layer is None else self.layer.parameters()
        return [backend.asnumpy(p.grad).copy() for p in parameters]


def cast(thing, dtype):
    """The floats of an example in another dtype, wherever they are in it."""
    if isinstance(thing, np.ndarray):
        return thing.astype(dtype) if thing.dtype.kind == "f" else thing
    if isinstance(thing, partial):
        return partial(thing.func, *cast(thing.args, dtype), **cast(thing.keywords, dtype))
    if isinstance(thing, dict):
        return {key: cast(value, dtype) for key, value in thing.items()}
    if isinstance(thing, tuple):
        parts = [cast(part, dtype) for part in thing]
        return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    if isinstance(thing, Layer):
        for _, state in thing.named_state():
            state.value = state.value.astype(dtype)
        for parameter in thing.parameters():
            parameter.grad = parameter.grad.astype(dtype)
    return thing


ON = [*backends.NAMES, "numba, many images"]


@pytest.fixture(params=ON)
def images(request):
    """Choose the backend; the number of images that the inputs are to have, or None."""
    with backends.using(request.param.split(",")[0]):
        yield MANY if "many" in request.param else None


@pytest.fixture(params=EXAMPLES)
def name(request):
    """Of every operation and every layer."""
    return request.param


@pytest.fixture
def subject(name, images):
    """Every operation and every layer, on every backend."""
    return Subject(name, images=images)


@pytest.fixture
def float32_subject(name, images):
    return Subject(name, np.float32, images)


@pytest.fixture(params=OPERATIONS)
def operation(request, images):
    return Subject(request.param, images=images)


@pytest.fixture(params=LAYERS)
def layer(request, images):
    return Subject(request.param, images=images)


@pytest.fixture
def in_context():
    """Lets a function run in another thread with the backend of this one."""
    return lambda function: partial(contextvars.copy_context().run, function)


@pytest.fixture
def make():
    """Makes a subject of an example's name."""
    return Subject
