import warnings

import numpy as np
import pytest
from watching import Calling

from minise import models, nn, train

DEAD = "{} learned nothing in epoch {}: the gradient was 0 in every step (dead relus?)"


def small(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        flatten=nn.Flatten(),
        first=nn.Linear(64, 6, rng=rng),
        relu=nn.ReLU(),
        second=nn.Linear(6, 5, rng=rng),
        head=nn.Linear(5, 3, rng=rng),
    )


def warned(stripes, net, optimizer, *, epochs=2, **options):
    """The lines of a training."""
    options = {"batch_size": 16, "rng": np.random.default_rng(0), **options}
    with warnings.catch_warnings(record=True) as seen:
        # no other kind: one of an object of another test, deleted meanwhile, is an error there
        warnings.simplefilter("always", RuntimeWarning)
        train.fit(net, stripes, optimizer, epochs=epochs, **options)
    return [str(warning.message) for warning in seen]


def sgd(net, lr=0.05, **options):
    return train.SGD(net.parameters(), lr, momentum=0.9, **options)


@pytest.mark.usefixtures("each_backend")
def test_a_net_that_learns_hears_nothing(stripes):
    net = small()
    assert warned(stripes, net, sgd(net)) == []


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("optimizer", [train.SGD, train.AdamW])
def test_dead_relus_are_told_once_though_weight_decay_moves_the_weights(stripes, optimizer):
    net = small()
    net.first.bias.value[:] = -1e3
    before = net.state_dict()["first.weight"]
    lines = warned(stripes, net, optimizer(net.parameters(), 0.05, weight_decay=0.1), epochs=3)
    assert not np.array_equal(net.state_dict()["first.weight"], before)
    # what comes behind the relus has a gradient for its bias alone
    assert lines == [DEAD.format("first, second.weight", 1)]


def test_a_layer_that_dies_later_is_told_then(stripes):
    net = small()

    def kill(epoch):
        if epoch.epoch == 1:
            net.first.bias.value[:] = -1e3

    lines = warned(stripes, net, sgd(net), epochs=3, watchers=[Calling(on_epoch=kill)])
    assert lines == [DEAD.format("first, second.weight", 2)]


class ForgetsItsBias(nn.Linear):
    def forward(self, x, training=True):
        y, backward = super().forward(x, training)

        def wrong(dy):
            kept = self.bias.grad.copy()
            dx = backward(dy)
            self.bias.grad[...] = kept
            return dx

        return y, wrong


def test_a_backward_that_leaves_a_parameter_out_is_noticed(stripes):
    net = small()
    net.second = ForgetsItsBias(6, 5, rng=np.random.default_rng(1))
    assert warned(stripes, net, sgd(net)) == [DEAD.format("second.bias", 1)]


def test_what_the_optimizer_does_not_hold_is_told(stripes):
    net, other = small(), small(1)
    lines = warned(stripes, net, train.SGD(net.head.parameters(), 0.05))
    assert lines == ["the optimizer does not hold first, second: no step moves them"]
    lines = warned(stripes, net, sgd(other))
    assert lines == ["the optimizer does not hold all parameters: no step moves them"]


@pytest.mark.usefixtures("each_backend")
def test_a_rate_of_nothing_is_told(stripes):
    net = small()
    told = "the learning rate was 0 throughout epoch 1: nothing moved"
    assert told in warned(stripes, net, sgd(net, 0.0))
    assert told in warned(stripes, net, sgd(net), schedule=lambda step: 0.0)
    assert told not in warned(stripes, net, sgd(net), schedule=lambda step: 0.05 * (step == 7))


def test_steps_too_small_for_the_dtype_are_told(stripes):
    net = small()
    assert warned(stripes, net, train.SGD(net.parameters(), 1e-12), epochs=2) == [
        "first.weight, second.weight, head.weight did not move in epoch 1: "
        "steps with lr 1e-12 are too small for float32"
    ]  # once
    net = small()
    assert warned(stripes, net, train.SGD(net.parameters(), 1e-6), epochs=1) == []


def test_of_the_rates_of_an_epoch_the_highest_is_told(stripes):
    net = small()
    rates = [1e-13, 1e-12, *[1e-14] * 6]
    lines = warned(
        stripes, net, train.SGD(net.parameters(), 1.0), epochs=1, schedule=rates.__getitem__
    )
    assert lines[0].endswith("epoch 1: steps with lr 1e-12 are too small for float32")


@pytest.mark.parametrize(("spare", "told"), [(6, ""), (7, " and 1 more"), (8, " and 2 more")])
def test_of_many_layers_six_are_named_and_the_others_counted(stripes, spare, told):
    net = small()
    for k in range(spare):  # layers that the optimizer was not given
        setattr(net, f"spare{k}", nn.Linear(1, 1))
    held = [*net.first.parameters(), *net.second.parameters(), *net.head.parameters()]
    learning = train.learning.Learning(net, train.SGD(held, 0.1))
    names = ", ".join(f"spare{k}" for k in range(6))
    told = f"the optimizer does not hold {names}{told}: no step moves them"
    assert learning.found(1) == [told]
    assert learning.found(2) == []


def test_an_epoch_that_was_resumed_in_its_middle_is_no_evidence(stripes):
    net = small()
    net.first.bias.value[:] = -1e3
    options = {"epochs": 1, "rng": np.random.default_rng(0), "batch_size": 16}
    training = train.Training(net, stripes, sgd(net), **options)

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(watchers=[Calling(stop)])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        training.run()
    assert not [warning for warning in seen if "gradient" in str(warning.message)]


def test_looking_costs_nothing_once_all_has_moved(monkeypatch):
    net = models.create("se-cnn")
    optimizer = sgd(net)
    learning = train.learning.Learning(net, optimizer)
    learning.begin()
    for parameter in net.parameters():
        parameter.grad[...] = 1
    optimizer.step()
    learning.look()
    assert not learning._before
    assert not learning._without_gradient
    assert learning.found(1) == []
