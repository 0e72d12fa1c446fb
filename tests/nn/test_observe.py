import numpy as np

from minise import models, nn


def test_an_observed_net_computes_the_same_and_the_net_itself_stays():
    net = models.create("se-resnet8")
    seen, names = [], []

    def observer(name, part, x, training):
        seen.append(type(part).__name__)
        names.append(name)
        return part.forward(x, training)

    x = np.random.default_rng(0).standard_normal((2, 1, 12, 12)).astype(np.float32)
    watched = nn.observed(net, observer)
    np.testing.assert_array_equal(watched(x), net(x))
    assert seen.count("Residual") == 3
    assert seen.count("Conv2d") == 9
    assert names[0] == ""
    assert {"conv", "block1.conv1", "block2.shortcut.0"} < set(names)
    count = len(seen)
    net(x)
    assert len(seen) == count
    assert watched.parameters() == net.parameters()
