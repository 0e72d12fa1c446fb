import os
import signal

import numpy as np
import pytest
from watching import Calling

from minise import InputError, backend, data, models, nn, set_num_threads, train


def small(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, padding=1, bias=False, rng=rng),
        bn=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        se=nn.SEBlock(4, 2, rng=rng),
        flatten=nn.Flatten(),
        fc=nn.Linear(4 * 8 * 8, 3, rng=rng),
    )


def fit(stripes, *, seed=0, lr=0.05, **options):
    net = small(seed)
    optimizer = train.SGD(net.parameters(), lr, momentum=0.9)
    options = {"epochs": 3, "batch_size": 16, "rng": np.random.default_rng(seed), **options}
    return net, train.fit(net, stripes, optimizer, **options)


@pytest.mark.usefixtures("each_backend")
def test_a_net_learns_and_the_history_tells(stripes):
    net, history = fit(stripes)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert history[-1].test_accuracy == 1.0
    assert history[-1].loss < history[0].loss
    mean, std = data.pixel_statistics(stripes.train.images)
    test = train.evaluate(net, stripes.test, mean=mean, std=std, batch_size=7)
    assert test.accuracy == history[-1].test_accuracy
    assert test.loss == pytest.approx(history[-1].test_loss, rel=1e-4)
    assert test.probabilities.shape == (60, 3)
    np.testing.assert_allclose(test.probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*dead relus")  # of the two hidden units of SE
def test_the_same_seed_gives_the_same_bits(stripes):
    states = [
        fit(stripes, seed=seed, augment=data.shift_and_rotate)[0].state_dict() for seed in (1, 1, 2)
    ]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["fc.weight"], states[2]["fc.weight"])


def test_the_number_of_threads_does_not_change_the_weights(stripes):
    states = []
    for number in (1, backend.get_num_threads()):
        set_num_threads(number)
        states.append(fit(stripes, batch_size=32)[0].state_dict())
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.effect("train.fit(watchers)")
def test_the_schedule_sets_the_rate_of_every_step_and_the_news_are_told(stripes):
    asked, steps, epochs = [], [], []

    def schedule(step):
        asked.append(step)
        return 0.01

    watchers = [Calling(on_step=steps.append), Calling(on_epoch=epochs.append)]
    _, history = fit(stripes, epochs=2, schedule=schedule, watchers=watchers)
    assert asked == list(range(16))
    assert history[-1].lr == 0.01
    assert epochs == history
    assert [step.images for step in steps[:8]] == [16, 32, 48, 64, 80, 96, 112, 120]
    assert steps[7].loss == history[0].loss
    assert steps[7].accuracy == history[0].accuracy


def test_a_loss_that_is_not_finite_stops_the_training(stripes):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    optimizer = train.SGD(net.parameters(), 1e38)
    with pytest.raises(
        InputError,
        match=r"the loss is (nan|inf) in epoch 1, step 2, .* It began in 1 \(Linear\), forward",
    ):
        train.fit(net, stripes, optimizer, epochs=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("poisoned", ["conv.weight", "fc.weight"])
def test_a_gradient_that_is_not_finite_stops_the_training_before_the_weights_move(
    stripes, monkeypatch, poisoned
):
    net = small()
    layer = getattr(net, poisoned.split(".")[0])
    optimizer = train.SGD(net.parameters(), 0.05)
    before = {}

    def poison(step):
        if step.images == 48:  # the fourth step will go wrong
            layer.weight.value.flat[0] = np.inf
            before.update(net.state_dict())

    expected = rf"in epoch 1, step 4, with lr 0.05.* It began in {poisoned.split('.')[0]} \("
    with pytest.raises(InputError, match=expected):
        train.fit(
            net, stripes, optimizer, epochs=1, rng=np.random.default_rng(0), batch_size=16,
            watchers=[Calling(poison)],
        )  # fmt: skip
    after = net.state_dict()
    assert all(np.array_equal(before[p], after[p]) for p, _ in net.named_parameters())


def test_ctrl_c_finishes_the_step_and_the_history_says_so(stripes):
    def press(step):
        if (step.epoch, step.images) == (2, 48):
            os.kill(os.getpid(), signal.SIGINT)

    steps = []
    _, history = fit(stripes, watchers=[Calling(steps.append), Calling(press)])
    assert history.interrupted
    assert [epoch.epoch for epoch in history] == [1]
    assert steps[-1].images == 48
    _, history = fit(stripes)
    assert not history.interrupted


def test_at_the_end_alone_are_the_test_images_looked_at(stripes):
    _, history = fit(stripes, test_at_end=True)
    assert [epoch.test_accuracy is None for epoch in history] == [True, True, False]
    _, each = fit(stripes)
    assert each[-1][:6] == history[-1][:6]


def test_less_than_an_epoch_is_refused(stripes):
    with pytest.raises(InputError, match="epochs: 0"):
        fit(stripes, epochs=0)


def test_warming_up_takes_a_batch_of_its_size_in_training_and_in_evaluation(monkeypatch):
    seen, forward = [], nn.Flatten.forward

    def watched(layer, x, training=True):
        seen.append((x.shape, training))
        return forward(layer, x, training)

    monkeypatch.setattr(nn.Flatten, "forward", watched)
    train.warm_up(nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(6, 3)), (1, 2, 3), 5)
    assert seen == [((5, 1, 2, 3), True), ((5, 1, 2, 3), False)]


def test_warming_up_augments_blank_images():
    seen = []

    def augment(images, rng):
        seen.append((images.shape, images.dtype, images.any()))
        return images[:, :, 1:]

    net = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(3, 3))
    train.warm_up(net, (1, 2, 3), 5, augment)
    assert seen == [((5, 1, 2, 3), np.uint8, False)]


def test_warming_up_leaves_the_net_alone_and_finds_images_that_do_not_fit():
    net = models.create("se-resnet8")
    before = net.state_dict()
    train.warm_up(net, (1, 28, 28), 2)
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(parameter.grad.any() for parameter in net.parameters())
    with pytest.raises(InputError, match=r"images of \(1, 32, 32\) do not fit the net"):
        train.warm_up(models.create("cnn"), (1, 32, 32), 2)


def test_warming_up_finds_that_one_image_alone_does_not_train_a_net():
    """Of which a batch norm has one number for each channel: 33 images in batches of 32."""
    net = models.create("se-resnet8", norm="before")
    train.warm_up(net, (1, 28, 28), 2)
    with pytest.raises(InputError, match=r"^a batch of one image does not train this net: batch_"):
        train.warm_up(net, (1, 28, 28), 1)


def test_a_training_step_as_a_learner_writes_it():
    import minise
    from minise import ops

    images, labels = data.load("sample").train
    images = data.to_input(images[:32], *data.pixel_statistics(images))
    net = minise.models.create("se-resnet8", seed=0)
    optimizer = minise.train.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(40):
        scores, backward = net.forward(images)  # (N, 1, 28, 28) -> (N, 10)
        loss, saved = ops.softmax_cross_entropy(scores, labels[:32])
        net.zero_grad()
        backward(ops.softmax_cross_entropy_backward(1.0, saved))
        optimizer.step()
        losses.append(loss)
    assert losses[-1] < losses[0] / 2
