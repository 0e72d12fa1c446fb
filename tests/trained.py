"""A net that has seen something, and can tell digits apart."""

import numpy as np

from minise import data, models, train


def few_digits_net():
    """se-cnn after one pass over 4,000 digits of the sample."""
    net, digits = models.create("se-cnn", seed=0), data.load("sample")
    few = data.Split(digits.train.images[:4000], digits.train.labels[:4000])
    train.fit(
        net,
        data.Dataset("few", few, data.Split(digits.test.images[:10], digits.test.labels[:10])),
        train.SGD(net.parameters(), lr=0.1, momentum=0.9),
        epochs=1,
        rng=np.random.default_rng(0),
    )
    return net
