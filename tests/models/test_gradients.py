"""The gradient of a whole net with its loss, for all weights at once."""

import numpy as np
import pytest

from minise import gradcheck, models, ops

DEEP = ("32", "56", "110", "164")
NETS = [
    name for name in models.names() if models.image_shape(name)[1] < 224 and not name.endswith(DEEP)
]


def loss_of_one_vector(net, shape, labels):
    """Forward and backward from images of this shape and all parameters, laid end to end.

    To check each parameter by itself takes minutes; one direction over all of them, a moment.
    """
    parameters = net.parameters()
    edges = np.cumsum([np.prod(shape), *(p.value.size for p in parameters)])[:-1]

    def loss_of(vector):
        images, *values = np.split(vector, edges)
        for parameter, value in zip(parameters, values, strict=True):
            parameter.value = value.reshape(parameter.value.shape)
        scores, backward = net.forward(images.reshape(shape))
        loss, saved = ops.softmax_cross_entropy(scores, labels)
        return loss, (backward, saved)

    def loss_backward(dloss, saved):
        backward, saved_of_loss = saved
        net.zero_grad()
        dx = backward(ops.softmax_cross_entropy_backward(dloss, saved_of_loss))
        return np.concatenate([dx.ravel(), *(p.grad.ravel() for p in parameters)])

    return loss_of, loss_backward


# With a relative in the place of SE.
RELATIVES = [
    *(("se-resnet8", {"block": block}) for block in ("ese", "eca", "scse", "sse", "ge")),
    ("se-resnet8", {"squeeze": "none", "placement": "identity"}),
    ("se-resnet8", {"block": "scse", "placement": "pre", "stem_stride": 2}),
    ("se-resnet8", {"block": "sse", "placement": "post", "stages": [1, 3]}),
    ("se-efficientnet-tiny", {"block": "scse"}),
    ("se-efficientnet-tiny", {"squeeze": "none"}),
]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        # few hidden units all sleep
        *((name, {"reduction": 4} if name.startswith("se-") else {}) for name in NETS),
        *RELATIVES,
    ],
)
def test_a_direction_over_all_weights_and_pixels_has_the_slope_that_backward_says(name, options):
    rng = np.random.default_rng(0)
    net = models.create(name, in_channels=1, dtype=np.float64, **options)
    shape = (4, 1, 28, 28) if "cnn" in name else (4, 1, 12, 12)  # cnn has a size of its own
    vector = [rng.standard_normal(np.prod(shape)), *(p.value.ravel() for p in net.parameters())]
    pair = loss_of_one_vector(net, shape, rng.integers(0, 10, 4))
    report = gradcheck.check(pair, np.concatenate(vector), sample=3)
    assert report.passed, str(report)
    assert report["vector"].overall is gradcheck.Verdict.RIGHT
