import numpy as np
import pytest

from minise import nn, train


class Ticking:
    """A clock that a layer can move on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Slow(nn.Layer):
    """Takes so many seconds forward and so many backward, and as many again around a layer."""

    def __init__(self, clock, forward, backward, inner=None):
        self.clock, self.seconds, self.inner = clock, (forward, backward), inner

    def forward(self, x, training=True):
        self.clock.now += self.seconds[0]
        inner_backward = self.inner.forward(x)[1] if self.inner else None

        def backward(dy):
            self.clock.now += self.seconds[1]
            return inner_backward(dy) if inner_backward else dy

        return x, backward


def test_each_part_is_given_its_own_time_and_not_that_of_the_parts_within():
    clock = Ticking()
    profile = train.Profile(clock)
    net = profile.layers(nn.Sequential(a=Slow(clock, 1, 2), b=Slow(clock, 3, 4, Slow(clock, 5, 6))))
    for _ in profile.steps_of("batch", [1, 2]):
        _, backward = net.forward(np.zeros(1))
        clock.now += 100  # nobody's
        backward(np.zeros(1))
        profile.call("optimizer", lambda: setattr(clock, "now", clock.now + 7))
    spent = {name: (s.forward, s.backward) for name, s in profile.spent.items()}
    assert profile.steps == 2
    assert spent == {
        "batch": (0, 0),
        "(net)": (0, 0),
        "a": (2, 4),
        "b": (6, 8),
        "b.inner": (10, 12),
        "optimizer": (14, 0),
    }
    assert profile.spent["b.inner"].kind == "Slow"


@pytest.mark.effect("train.fit(profile)")
def test_a_profiled_training_gives_the_same_bits_and_names_every_layer(stripes):
    states = []
    for profile in (None, train.Profile()):
        net = nn.Sequential(
            conv=nn.Conv2d(1, 4, 3, padding=1),
            bn=nn.BatchNorm2d(4),
            se=nn.SEBlock(4, 2),
            pool=nn.GlobalAvgPool(),
            fc=nn.Linear(4, 3),
        )
        optimizer = train.SGD(net.parameters(), 0.05)
        rng = np.random.default_rng(0)
        train.fit(net, stripes, optimizer, epochs=1, rng=rng, profile=profile)
        states.append(net.state_dict())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert {"conv", "bn", "se", "se.squeeze", "se.fc1", "fc", "(loss)"} <= set(profile.spent)
    assert profile.steps == 2  # of 64 and of 56 images
    assert all(s.backward > 0 for s in profile.spent.values() if s.kind)
