"""Nets with the same weights give the same scores, gradients and running statistics."""

import numpy as np
import pytest

from minise import backend, data, models, ops

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}


def assert_close(ours, theirs, dtype, what):
    theirs = theirs.detach().numpy()
    assert ours.dtype == theirs.dtype == dtype
    scale = max(1.0, np.abs(theirs).max())
    assert np.abs(ours - theirs).max() <= TOLERANCE[dtype] * scale, what


SMALL = ["cnn", "se-cnn", "cnn3", "se-cnn3", "resnet8", "se-resnet8"]
FAMILIES = ("inception", "mobilenet", "mobilenetv3", "efficientnet", "vgg")
TINY = [f"{se}{name}-tiny" for name in FAMILIES for se in ("", "se-")]
# Among more numbers, in float32 one next to a relu's 0 or a pooling's tie falls on its other side.
CASES = [(name, dtype) for name in SMALL for dtype in (np.float64, np.float32)]
PHOTOS = [
    "bn-inception", "mobilenetv3-large", "mobilenetv3-small", "efficientnet-b0", "regnety-400mf",
]  # fmt: skip
CASES += [(name, np.float64) for name in TINY]


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_a_net_agrees_with_the_same_net_in_pytorch(torch, torch_nets, name, dtype):
    ours = models.create(name, seed=3, dtype=dtype)
    theirs = torch_nets[name]().to(getattr(torch, np.dtype(dtype).name))
    state = ours.state_dict()
    fresh = {n: t for n, t in theirs.state_dict().items() if "num_batches_tracked" not in n}
    # the names are the same but for relu, pool and the numbering of blocks, which hold no weights
    assert sorted(state) == sorted(fresh)
    theirs.load_state_dict({n: torch.tensor(v) for n, v in state.items()}, strict=False)

    digits = data.load("sample").train
    mean, std = data.pixel_statistics(digits.images)
    images = 8 if name in TINY else 16
    x = backend.asnumpy(data.to_input(digits.images[:images], mean, std, dtype))
    if name in TINY:  # where a flat background is pooled, roundings would say which pixel wins
        x = x + 0.1 * np.random.default_rng(0).standard_normal(x.shape)
    labels = digits.labels[:images]
    tx = torch.tensor(np.ascontiguousarray(x), requires_grad=True)

    for _ in range(2):  # the second step sees moved running statistics
        scores, backward = ours.forward(x)
        loss, saved = ops.softmax_cross_entropy(scores, labels, label_smoothing=0.1)
        ours.zero_grad()
        dx = backward(ops.softmax_cross_entropy_backward(1.0, saved))

        tscores = theirs(tx)
        tloss = torch.nn.functional.cross_entropy(
            tscores, torch.tensor(labels), label_smoothing=0.1
        )
        theirs.zero_grad()
        tx.grad = None
        tloss.backward()

        assert_close(scores, tscores, dtype, "scores")
        assert_close(np.asarray(loss), tloss, dtype, "loss")
        assert_close(dx, tx.grad, dtype, "dx")
        for n, parameter in theirs.named_parameters():
            grad = backend.asnumpy(dict(ours.named_parameters())[n].grad)
            assert_close(grad, parameter.grad, dtype, n)
        for n, buffer in theirs.named_buffers():
            if "running" in n:
                assert_close(ours.state_dict()[n], buffer, dtype, n)
    theirs.eval()
    assert_close(ours(x), theirs(tx), dtype, "scores in evaluation")


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("se", ["", "se-"])
@pytest.mark.parametrize("name", PHOTOS)
def test_a_net_for_photos_agrees_in_evaluation(torch, torch_nets, name, se):
    name = se + name
    ours, theirs = models.create(name, seed=3, dtype=np.float64), torch_nets[name]().double()
    rng = np.random.default_rng(0)
    for key, entry in ours.named_state():
        if key.endswith("running_var"):
            entry.value[...] = backend.asarray(rng.uniform(0.5, 1.5, entry.value.shape))
        elif entry.value.ndim == 1:  # no mean, bias or weight of batch norm is 0 or 1
            entry.value += backend.asarray(0.1 * rng.standard_normal(entry.value.shape))
    state = ours.state_dict()
    assert list(state) == [n for n in theirs.state_dict() if "num_batches_tracked" not in n]
    theirs.load_state_dict({n: torch.tensor(v) for n, v in state.items()}, strict=False)
    theirs.eval()
    x = rng.standard_normal((1, 3, 64, 64))
    assert_close(ours(x), theirs(torch.tensor(x)), np.float64, "scores")


def test_se_resnet50_agrees_on_a_photo_of_224_by_224_pixels(torch):
    from oracle import blocks

    ours, theirs = models.create("se-resnet50", seed=3), blocks.se_resnet50()
    state = {n: t for n, t in theirs.state_dict().items() if "num_batches_tracked" not in n}
    with torch.no_grad():  # both list their state in the same order
        for tensor, value in zip(state.values(), ours.state_dict().values(), strict=True):
            tensor.copy_(torch.tensor(value))
    theirs.eval()
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    assert_close(ours(x), theirs(torch.tensor(x)), np.float32, "scores")
