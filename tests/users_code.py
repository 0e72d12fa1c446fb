"""What others write with minise; test_types.py checks it against the package as it is installed."""

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

import minise
from minise import data, gradcheck, inspect, models, nn, ops, train


class Shift(nn.Layer):
    def __init__(self, channels: int) -> None:
        self.bias = nn.Parameter(np.zeros(channels))

    def forward(
        self, x: npt.NDArray[np.float32], training: bool = True
    ) -> tuple[npt.NDArray[np.float32], nn.Backward]:
        def backward(dy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            self.bias.grad += dy.sum(axis=(0, 2, 3))
            return dy

        return x + self.bias.value[:, None, None], backward


def learn(folder: Path) -> float:
    digits = data.load("sample")
    se: nn.MakeSE = partial(nn.SEBlock, reduction=4, squeeze="avg+max")
    block: nn.Layer = minise.Residual(16, 32, stride=2, se=se, placement="pre")
    net = models.create("se-resnet8", seed=0)
    optimizer = train.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x = data.to_input(digits.train.images[:64], *data.pixel_statistics(digits.train.images))
    scores, backward = net.forward(x)
    loss, saved = ops.softmax_cross_entropy(scores, digits.train.labels[:64])
    net.zero_grad()
    backward(ops.softmax_cross_entropy_backward(1.0, saved))
    optimizer.step()
    history = train.fit(
        net, digits, optimizer, epochs=1, batch_size=64, rng=np.random.default_rng(0)
    )
    gates = inspect.gates(net, x)
    report = gradcheck.check(Shift(3), np.zeros((2, 3, 4, 4)))
    models.save(net, folder / "net.safetensors")
    losses: list[float] = [epoch.loss for epoch in history]
    shapes: dict[str, tuple[int, ...]] = {name: s.shape for name, s in gates.items()}
    print(block(x), report.passed, minise.cost(net, (1, 28, 28)).parameters, shapes, loss)
    return min(losses)


def wrong() -> None:
    models.create(8)  # wrong: arg-type
    nn.SEBlock("64")  # wrong: arg-type
    nn.Linear(3, 4, bais=False)  # wrong: call-arg
    net: nn.SEBlock = models.create("se-cnn")  # wrong: assignment
    print(net.forwards)  # wrong: attr-defined
    y: int = data.load("sample").summary  # wrong: assignment
    print(y)
