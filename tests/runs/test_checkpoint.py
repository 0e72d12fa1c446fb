import json

import numpy as np
import pytest
from watching import Calling

from minise import InputError, data, nn, runs, train
from minise.files import Tensors
from minise.runs import checkpoint

OPTIMIZERS = {
    "sgd": lambda p: train.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adamw": lambda p: train.AdamW(p, 0.01),
}
STEPS = 8  # in an epoch

# small nets with a relu that is dead now and then
pytestmark = pytest.mark.filterwarnings("ignore:.* learned nothing in epoch")


@pytest.fixture
def begin(stripes):
    """Makes the same training each time: with dropout, which draws numbers of its own."""

    def make(optimizer="sgd", seed=0, hidden=6, shared=False):
        rng = np.random.default_rng(seed)
        own = np.random.default_rng(seed + 1)
        net = nn.Sequential(
            conv=nn.Conv2d(1, 4, 3, padding=1, bias=False, rng=rng),
            bn=nn.BatchNorm2d(4),
            se=nn.SEBlock(4, 2, rng=rng),
            drop=nn.Dropout(0.2, rng=rng if shared else own),
            flatten=nn.Flatten(),
            fc1=nn.Linear(4 * 8 * 8, hidden, rng=rng),
            again=nn.Dropout(0.1, rng=own),
            fc2=nn.Linear(hidden, 3, rng=rng),
        )
        return train.Training(
            net,
            stripes,
            OPTIMIZERS[optimizer](net.parameters()),
            epochs=2,
            rng=rng,
            batch_size=16,
            schedule=train.cosine(0.05, 2 * STEPS),
            augment=data.shift_and_rotate,
            label_smoothing=0.1,
        )

    return make


def timeless(history):
    return [epoch._replace(seconds=0, images_per_second=0) for epoch in history]


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(value, second[name]) for name, value in first.items()
    )


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_from_any_step_a_training_goes_on_to_the_same_bits(begin, optimizer, shared):
    whole, states = begin(optimizer, shared=shared), []
    before = checkpoint.state_of(whole)
    history = whole.run(watchers=[Calling(lambda step: states.append(checkpoint.state_of(whole)))])
    at_end = checkpoint.state_of(whole)
    for state in (before, *states, at_end):
        resumed = begin(optimizer, shared=shared)
        checkpoint.restore(resumed, state)
        assert timeless(resumed.run()) == timeless(history)
        assert same(resumed.net.state_dict(), whole.net.state_dict())
        assert same(resumed.optimizer.state_dict(), whole.optimizer.state_dict())
        assert resumed.rng.bit_generator.state == whole.rng.bit_generator.state


class Noise(nn.Layer):
    """Adds numbers of a generator of its own."""

    def __init__(self):
        self.rng = np.random.default_rng(9)

    def forward(self, x, training=True):
        return x + self.rng.standard_normal(x.shape).astype(x.dtype), lambda dy: dy


def test_the_generator_of_any_layer_goes_on_as_well(begin):
    def noisy():
        training = begin()
        training.net.noise = Noise()
        return training

    whole, states = noisy(), []
    whole.run(watchers=[Calling(lambda step: states.append(checkpoint.state_of(whole)))])
    resumed = noisy()
    checkpoint.restore(resumed, states[4])
    resumed.run()
    assert same(resumed.net.state_dict(), whole.net.state_dict())


def test_a_state_is_a_copy_and_a_training_is_not_changed_by_being_asked_for_it(begin):
    training = begin()
    state = checkpoint.state_of(training)
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    training.run()
    assert same(state.arrays, arrays)
    assert same(begin().run() and training.net.state_dict(), training.net.state_dict())


def test_the_net_of_a_checkpoint_has_its_own_names(begin):
    training = begin()
    weights, memory = runs.split(checkpoint.state_of(training))
    assert same(weights, training.net.state_dict())
    assert same(memory, training.optimizer.state_dict())


def damaged():
    """What somebody, or a broken disk, may have written in the place of a position."""

    def put(**values):
        return lambda text: json.dumps({**json.loads(text), **values})

    yield "no text", lambda text: ""
    yield "no JSON", lambda text: text[:-5]
    yield "no object", lambda text: "[1, 2]"
    yield (
        "a key is missing",
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "seconds"}),
    )
    yield "an epoch that is no number", put(epoch="one")
    yield "an epoch far away", put(epoch=7)
    yield "more steps than there are", put(steps=STEPS + 1)
    yield "fewer than none", put(steps=-1)
    yield "a history of something else", put(history=[{"epoch": 1}])
    yield "too few generators", put(generators=[])
    yield "generators that are none", put(generators=[{"bit_generator": "PCG64"}] * 2)
    yield "another generator", put(before_epoch={"bit_generator": "MT19937", "state": {}})
    yield "a number beyond all", put(before_epoch={"bit_generator": "PCG64", "state": 10**400})
    yield "no sum", put(loss_sum=None)


@pytest.mark.parametrize(("kind", "damage"), list(damaged()))
def test_a_damaged_checkpoint_is_one_clear_error_and_changes_nothing(begin, kind, damage):
    training = begin()
    training.run()
    good, before = checkpoint.state_of(training), begin()
    untouched = checkpoint.state_of(before)
    state = Tensors(good.arrays, {"training": damage(good.metadata["training"])})
    with pytest.raises(InputError, match="not a usable checkpoint"):
        checkpoint.restore(before, state)
    after = checkpoint.state_of(before)
    assert same(after.arrays, untouched.arrays)
    assert after.metadata == untouched.metadata


def test_a_checkpoint_of_another_net_or_optimiser_changes_nothing(begin):
    training = begin(hidden=7)
    untouched = checkpoint.state_of(training)
    with pytest.raises(InputError, match=r"to another net:\n  of another shape: fc1\.weight"):
        checkpoint.restore(training, checkpoint.state_of(begin()))
    with pytest.raises(InputError, match=r"state of SGD does not fit:\n  missing: velocity\.0;"):
        checkpoint.restore(training, checkpoint.state_of(begin("adamw", hidden=7)))
    after = checkpoint.state_of(training)
    assert same(after.arrays, untouched.arrays)
    assert after.metadata == untouched.metadata
