"""How well a net does on images that it does not learn from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minise import ops
from minise.arrays import Array, asnumpy
from minise.data import Batches, Split
from minise.nn import Layer


class Evaluation(NamedTuple):
    """The mean loss, the accuracy (0 to 1), and the probabilities (N, K) of the classes."""

    loss: float
    accuracy: float
    probabilities: Array


def evaluate(
    net: Layer, split: Split, *, mean: float, std: float, batch_size: int = 256
) -> Evaluation:
    """Run `net` in evaluation mode over all images of `split`."""
    losses, probabilities = 0.0, []
    for x, labels in Batches(split, batch_size, mean=mean, std=std):
        loss, saved = ops.softmax_cross_entropy(net(x), labels)
        losses += float(loss) * len(labels)
        probabilities.append(asnumpy(saved.p))
    p = np.concatenate(probabilities)  # (N, K)
    accuracy = float((p.argmax(axis=1) == split.labels).mean())
    return Evaluation(losses / len(p), accuracy, p)
