"""Small nets of every kind that `minise play` shows, and images for them."""

from functools import partial

import numpy as np

from minise import backend, nn
from minise.play.collection import collect
from minise.play.session import Session

SIDE, CLASSES = 6, 4


def net_with(block, channels=4, in_channels=1, dtype=np.float32, seed=0):
    """Convolution, leaky relu, the block, pooling and a linear map."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        conv=nn.Conv2d(in_channels, channels, 3, padding=1, rng=rng, dtype=dtype),
        act=nn.LeakyReLU(0.1),  # behind a relu there are many kinks, of zeros that are alike
        se=block(channels, rng=rng, dtype=dtype),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(channels * SIDE**2 // 4, CLASSES, rng=rng, dtype=dtype),
    )


def net_of(host, channels=4, dtype=np.float32, seed=0):
    """Convolution, a residual block, the mean of each map, and a linear map."""
    rng = np.random.default_rng(seed)
    net = nn.Sequential(
        conv=nn.Conv2d(1, channels, 3, padding=1, rng=rng, dtype=dtype),
        block=host(channels, channels, rng=rng, dtype=dtype),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, CLASSES, rng=rng, dtype=dtype),
    )
    for _, entry in net.named_state():  # averages as after some training
        if entry.value.ndim == 1:
            entry.value[...] += 0.1 * rng.random(entry.value.shape)
    return net


class Twice(nn.Layer):
    """The same block, and the same convolution, two times in a row."""

    def __init__(self, channels, *, rng, dtype):
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, rng=rng, dtype=dtype)
        self.se = nn.SEBlock(channels, 2, rng=rng, dtype=dtype)

    def forward(self, x, training=True):
        backwards = []
        for layer in (self.conv, self.se, self.conv, self.se):
            x, backward = layer.forward(x, training)
            backwards.append(backward)

        def back(dy):
            for backward in reversed(backwards):
                dy = backward(dy)
            return dy

        return x, back


def gate_of_means(channels, *, rng, dtype):
    return nn.GatherExcite()


se = partial(nn.SEBlock, reduction=2)
BLOCKS = {
    "se": se,
    "se squeeze max": partial(se, squeeze="max"),
    "se squeeze avg+max": partial(se, squeeze="avg+max"),
    "se norm before": partial(se, norm="before"),
    "se norm after": partial(se, norm="after", activation="silu"),
    "se residual": partial(se, residual=True),
    "se hard sigmoid": partial(se, gate="hard_sigmoid", bias=False),
    "effective": nn.EffectiveSE,
    "eca": nn.ECA,
    "gather-excite": gate_of_means,
    "no squeeze": partial(nn.NoSqueeze, reduction=2),
    "no squeeze residual": partial(nn.NoSqueeze, reduction=2, residual=True, norm="before"),
    "spatial": nn.SpatialSE,
    "concurrent max": partial(nn.ConcurrentSE, reduction=2),
    "concurrent add": partial(nn.ConcurrentSE, reduction=2, merge="add"),
    "twice": Twice,
}
WITHOUT_SE = {"none": lambda channels, **_: nn.Sequential()}


def with_rng(block):
    """As a host makes it."""
    return partial(block, rng=np.random.default_rng(1))


@backend.using("numpy")
def nets(dtype=np.float32):
    """By name, a net of every kind, for the processor."""
    made = {name: net_with(block, dtype=dtype) for name, block in (BLOCKS | WITHOUT_SE).items()}
    for placement in nn.residual.PLACEMENTS:
        block = partial(se, rng=np.random.default_rng(1), dtype=dtype)
        made[placement] = net_of(partial(nn.Residual, se=block, placement=placement), dtype=dtype)
    spatial = partial(nn.SpatialSE, rng=np.random.default_rng(1), dtype=dtype)
    made["spatial in a host"] = net_of(partial(nn.Residual, se=spatial), dtype=dtype)
    made["bottleneck"] = net_of(
        partial(nn.Bottleneck, width=2, se=partial(se, dtype=dtype)), dtype=dtype
    )
    return made


NAMES = list(nets())


def images(count=12, channels=1, seed=3):
    """Of pixels, (N, C, H, W), uint8."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, channels, SIDE, SIDE), dtype=np.uint8)


def session_of(net, given=None):
    """A session with images and labels."""
    given = images() if given is None else given
    labels = np.arange(len(given)) % CLASSES
    return Session(net, collect(net, given, labels))


def arrays(answer):
    """A function from the JSON's {"at", "shape"} to the array."""
    numbers = np.frombuffer(answer.numbers, "<f4")

    def array(place):
        size = int(np.prod(place["shape"]))
        return numbers[place["at"] : place["at"] + size].reshape(place["shape"])

    return array


def look(**fields):
    """A question about the second image."""
    return {"kind": "look", "image": {"from": "test", "number": 1}, "changes": {}} | fields
