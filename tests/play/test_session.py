"""What a page is answered."""

import json
import threading

import numpy as np
import playing
import pytest
from playing import arrays, look, session_of

from minise import backend, data, models, nn
from minise.arrays import asnumpy
from minise.gradcheck import Verdict
from minise.play import checking, showing, steps
from minise.play import session as session_module
from minise.play.collection import collect
from minise.play.session import Session

NETS = pytest.mark.parametrize("name", playing.NAMES)


def weights(session):
    return [asnumpy(p.value).tobytes() for p in session.net.parameters()]


def refused(answer, message):
    assert answer.header["kind"] == "refused", answer.header
    assert message in answer.header["message"]
    assert answer.numbers == b""


@NETS
def test_a_look_has_all_that_the_docstring_says(each_backend, name):
    net = nn.layer.moved(playing.nets()[name])
    session = session_of(net)
    about = session.answer({"kind": "hello", "id": 7}).header
    assert about["id"] == 7
    assert about["classes"] == ["0", "1", "2", "3"]
    assert about["image_shape"] == [1, playing.SIDE, playing.SIDE]
    assert not about["draws"]
    answer = session.answer(look(label=3, id=8))
    seen, array = answer.header, arrays(answer)
    assert seen["kind"] == "seen"
    x = session.collection.input(session.collection.images[1])
    assert seen["scores"] == asnumpy(net(x))[0].astype(float).tolist()
    assert sum(seen["probabilities"]) == pytest.approx(1)
    assert seen["loss"] == pytest.approx(-np.log(seen["probabilities"][3]), rel=1e-5)
    assert seen["unchanged"] == seen["probabilities"]
    fixed = ("name", "type", "kind", "shape", "gates", "squeeze")
    known, kept = (
        [{f: layer[f] for f in fixed if f in layer} for layer in header["layers"]]
        for header in (about, seen)
    )
    assert kept == known
    assert all(layer.get("scales", True) for layer in about["layers"])
    for layer in seen["layers"]:
        if layer["kind"] != "block":
            assert list(array(layer["y"]).shape) == list(array(layer["dy"]).shape) == layer["shape"]
            assert set(layer) == {"name", "type", "kind", "shape", "y", "dy"}
            continue
        for maps in ("x", "y", "dy", "scaled", "squeezed", "dx"):
            assert list(array(layer[maps]).shape) == layer["shape"]
        total = array(layer["scaled"]) + array(layer["squeezed"])
        np.testing.assert_allclose(total, array(layer["dx"]), atol=1e-6)
        if layer["gates"] == "pixels":
            assert layer["z"] is layer["dz"] is None
            s = array(layer["s"])
            assert array(layer["ds"]).shape == array(layer["own"]).shape == s.shape
        else:
            assert layer["name"] in about["means"]
            s = np.array(layer["s"])[:, None, None]
            assert all(
                len(layer[row]) == layer["shape"][0] for row in ("z", "s", "own", "dz", "ds")
            )
        np.testing.assert_allclose(array(layer["y"]), s * array(layer["x"]), rtol=1e-5, atol=1e-7)
        assert (layer["hidden"] is None) == (layer["dhidden"] is None)
    json.dumps(seen, allow_nan=False)


def test_without_a_label_there_is_no_gradient_and_less_is_sent():
    session = session_of(playing.nets()["se"])
    answer, with_label = session.answer(look()), session.answer(look(label=0))
    assert answer.header["loss"] is answer.header["label"] is None
    assert all(layer["dy"] is None for layer in answer.header["layers"])
    assert len(answer.numbers) < len(with_label.numbers) / 2


def test_changed_gates_are_told_beside_the_unchanged():
    session = session_of(playing.nets()["se"])
    plain = session.answer(look()).header
    changed = session.answer(look(changes={"se": {"gates": {"0": 5.0}}})).header
    assert changed["unchanged"] == plain["probabilities"] != changed["probabilities"]
    (block,) = [layer for layer in changed["layers"] if layer["kind"] == "block"]
    assert block["s"][0] == 5
    assert block["own"][0] != 5
    nothing = session.answer(look(changes={"se": {}})).header
    assert nothing["probabilities"] == plain["probabilities"]


def test_only_what_is_open_has_maps_and_no_answer_grows_without_end(monkeypatch):
    session = session_of(playing.nets()["se"])
    closed = session.answer(look(label=0, open=[])).header["layers"]
    assert all(layer[m] is None for layer in closed for m in ("y", "dy"))
    assert all(layer["s"] for layer in closed if layer["kind"] == "block")
    opened = session.answer(look(open=["se", "act"])).header["layers"]
    assert [layer["name"] for layer in opened if layer["y"]] == ["act", "se"]
    maps = 4 * playing.SIDE**2  # of one layer
    monkeypatch.setattr(showing, "MOST_NUMBERS", 3 * maps - 1)
    none = session.answer(look()).header["layers"]
    assert not any(layer["y"] for layer in none)
    assert any(layer.get("s") for layer in none)
    fitting = session.answer(look(open=["conv", "act", "se"])).header["layers"]
    assert [layer["name"] for layer in fitting if layer["y"]] == ["conv", "act"]
    monkeypatch.setattr(showing, "MOST_NUMBERS", 1)
    first = session.answer(look(open=["se", "fc"])).header["layers"]
    assert [layer["name"] for layer in first if layer["y"]] == ["se"]


def test_means_of_very_many_classes_do_not_fill_an_answer(monkeypatch):
    net = playing.nets()["twice"]
    monkeypatch.setattr(session_module, "MOST_NUMBERS", playing.CLASSES * 4)
    assert list(session_of(net).answer({"kind": "hello"}).header["means"]) == ["se.se"]


def test_of_many_maps_the_first_64_are_sent_and_how_many_there_are_is_said():
    net = playing.net_with(playing.BLOCKS["se"], channels=70)
    answer = session_of(net).answer(look(label=1))
    array = arrays(answer)
    conv, block = answer.header["layers"][0], answer.header["layers"][2]
    assert conv["shape"] == [70, playing.SIDE, playing.SIDE]
    assert array(conv["y"]).shape[0] == array(block["dx"]).shape[0] == 64
    assert len(block["s"]) == 70


def test_of_numbers_without_maps_the_first_1024_are_sent():
    net = playing.net_with(playing.BLOCKS["se"], channels=120)
    layers = session_of(net).answer(look()).header["layers"]
    flat = next(layer for layer in layers if layer["name"] == "flatten")
    assert (flat["shape"], flat["y"]["shape"]) == ([1080], [1024])


def test_steps_lower_the_loss_and_are_taken_back_to_the_bit(each_backend):
    net = nn.layer.moved(playing.nets()["standard"])
    session, trained = session_of(net), [asnumpy(p.value).copy() for p in net.parameters()]
    before = [weights(session)]
    losses = [session.answer(look(label=2)).header["loss"]]
    changes = {"block.se": {"gates": {"1": 0.25}}}
    for count in range(1, 6):
        seen = session.answer(look(kind="step", label=2, lr=0.05, changes=changes)).header
        assert seen["steps"] == seen["undoable"] == count
        losses.append(seen["loss"])
        before.append(weights(session))
    assert losses[1:] == sorted(losses[1:], reverse=True)
    assert len(set(map(tuple, before))) == 6
    unchanged = session.answer(look(changes=changes)).header["unchanged"]
    assert unchanged == session.answer(look()).header["probabilities"]
    for count in range(5, 0, -1):
        assert weights(session) == before[count]
        seen = session.answer(look(kind="undo", label=2)).header
        assert seen["steps"] == count - 1
    assert weights(session) == before[0]
    assert seen["loss"] == losses[0]
    refused(session.answer(look(kind="undo")), "there is no step to take back")
    for _ in range(3):
        session.answer(look(kind="step", label=1, lr=0.1))
    seen = session.answer(look(kind="reset", label=2)).header
    assert (seen["steps"], seen["undoable"], seen["loss"]) == (0, 0, losses[0])
    assert weights(session) == before[0]
    for p, value in zip(net.parameters(), trained, strict=True):  # those of the net that was given
        assert asnumpy(p.value).tobytes() == value.tobytes()


def test_a_step_goes_against_the_gradient_that_is_shown():
    net = playing.nets()["standard"]
    session, lr = session_of(net), 0.125
    changes = {"block.se": {"off": True}}
    session.answer(look(label=2, changes=changes))
    expected = [p.value - lr * p.grad for p in session.net.parameters()]
    session.answer(look(label=0))  # whose gradients do not add to it
    session.answer(look(kind="step", label=2, lr=lr, changes=changes))
    for p, value in zip(session.net.parameters(), expected, strict=True):
        assert p.value.tobytes() == value.tobytes()
    averages = [v for n, v in session.net.state_dict().items() if "running" in n]
    given = [v for n, v in net.state_dict().items() if "running" in n]
    assert averages
    np.testing.assert_equal(averages, given)


def test_a_refused_question_changes_nothing():
    session = session_of(playing.nets()["standard"])
    session.answer(look(kind="step", label=1, lr=0.1))
    before = weights(session)
    refused(session.answer(look(kind="step", lr=0.1)), "choose the class")
    refused(session.answer(look(kind="step", label=1)), "lr is None, expected 0 to 1000")
    refused(session.answer(look(kind="step", label=1, lr=0.1, image=None)), "image is None")
    refused(session.answer(look(kind="undo", image={"from": "test", "number": 99})), "99")
    refused(session.answer(look(kind="reset", changes={"none": {"off": True}})), "no block 'none'")
    assert weights(session) == before
    assert session.answer(look()).header["steps"] == 1


@pytest.mark.parametrize(
    ("scale", "message"), [(1e20, "take smaller steps"), (1e37, "weights would not stay")]
)
def test_a_step_that_leads_out_of_all_bounds_is_refused_and_changes_nothing(scale, message):
    session = session_of(playing.nets()["none"])
    session.net.fc.weight.value[...] *= np.float32(scale)
    before = weights(session)
    label = int(np.argmin(session.answer(look()).header["scores"]))
    refused(session.answer(look(kind="step", label=label, lr=1000.0)), message)
    assert weights(session) == before
    assert session.answer(look(label=label)).header["steps"] == 0


def test_memory_of_steps_is_bounded_and_the_oldest_are_forgotten(monkeypatch):
    net = playing.nets()["se"]
    size = sum(p.value.nbytes for p in net.parameters())
    monkeypatch.setattr(steps, "MOST_BYTES", 3 * size)
    session = session_of(net)
    trained = weights(session)
    for _ in range(5):
        seen = session.answer(look(kind="step", label=1, lr=0.1)).header
    assert (seen["steps"], seen["undoable"]) == (5, 3)
    for _ in range(3):
        session.answer(look(kind="undo"))
    refused(session.answer(look(kind="undo")), "the first 2 steps cannot be taken back one by one")
    assert session.answer(look(kind="reset")).header["steps"] == 0
    assert weights(session) == trained


def test_a_refused_undo_keeps_the_steps_that_can_be_undone():
    session = session_of(playing.nets()["se"])
    for _ in range(2):
        session.answer(look(kind="step", label=1, lr=0.1))
    wrong = {"none": {"off": True}}
    for kind in ("undo", "reset"):
        refused(session.answer(look(kind=kind, changes=wrong)), "no block 'none'")
    seen = session.answer(look()).header
    assert (seen["steps"], seen["undoable"]) == (2, 2)
    assert session.answer(look(kind="undo")).header["steps"] == 1


def test_images_are_picked_by_their_labels_not_by_what_the_net_takes_them_for():
    session = session_of(playing.nets()["se"])
    about = session.answer({"kind": "hello"}).header
    assert about["labels"] == [n % playing.CLASSES for n in range(12)]
    assert about["wrong"]
    answers = session.collection.answers
    assert all(about["labels"][n] != answers[n] for n in about["wrong"])


def test_gates_that_leave_no_finite_scores_are_refused_and_do_no_harm():
    session = session_of(playing.nets()["se"])
    session.net.conv.weight.value[...] *= np.float32(1e37)
    refused(session.answer(look(changes={"se": {"gates": {"0": 100}}})), "scores are not finite")


CHECKS = {
    "se": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
    "eca": ("dx", "scaled", "squeezed", "dz", "ds", "dy"),
    "spatial": ("dx", "scaled", "squeezed", "ds", "dy"),
    "no squeeze": ("dx", "scaled", "squeezed", "dhidden", "ds", "dy"),
    "se residual": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
    "standard": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
    "pre": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
    "identity": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
    "spatial in a host": ("dx", "scaled", "squeezed", "ds", "dy"),
    "twice": ("dx", "scaled", "squeezed", "dz", "dhidden", "ds", "dy"),
}


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("name", CHECKS)
def test_checked_numbers_are_right_and_are_those_shown(name, changed):
    session = session_of(playing.nets()[name])
    blocks = [b for b in session.answer({"kind": "hello"}).header["layers"] if b["kind"] == "block"]
    change = {"off": True} if blocks[0]["gates"] == "pixels" else {"gates": {"0": 0.3, "2": 1.5}}
    changes = {blocks[0]["name"]: change} if changed else {}
    answer = session.answer(look(label=1, changes=changes))
    array = arrays(answer)
    rng = np.random.default_rng(0)
    verdicts = []
    for block in [layer for layer in answer.header["layers"] if layer["kind"] == "block"]:
        for of in CHECKS[name]:
            shown = block[of]
            shown = array(shown) if isinstance(shown, dict) else np.array(shown)
            for _ in range(4):
                index = [int(rng.integers(n)) for n in shown.shape]
                question = look(kind="check", label=1, changes=changes, name=block["name"])
                found = session.answer(question | {"of": of, "index": index}).header
                assert found["kind"] == "checked", found
                assert found["backward"] == pytest.approx(shown[tuple(index)], rel=1e-6)
                assert found["exact"] == pytest.approx(found["backward"], rel=1e-3, abs=1e-6)
                low, high = found["losses"]
                quotient = (high - low) / (2 * found["step"])
                assert found["numeric"] == pytest.approx(quotient, rel=1e-6, abs=1e-9)
                assert found["verdict"] in ("right", "at a kink"), found
                assert found["words"]
                verdicts.append(found["verdict"])
                if found["verdict"] == "right":
                    assert found["numeric"] == pytest.approx(found["exact"], rel=1e-6)
                    assert found["relative_error"] <= 1e-6
    assert verdicts.count("right") > 0.9 * len(verdicts)


def test_no_gradient_goes_through_a_gate_that_was_fixed_by_hand():
    session = session_of(playing.nets()["gather-excite"])
    question = look(kind="check", label=1, name="se", changes={"se": {"gates": {"2": 0.5}}})
    fixed = session.answer(question | {"of": "dz", "index": [2]}).header
    assert fixed["exact"] == fixed["numeric"] == 0
    assert fixed["words"].startswith("right: the loss does not depend on this number")
    free = session.answer(question | {"of": "dz", "index": [1]}).header
    assert free["exact"] != 0
    moved = session.answer(question | {"of": "ds", "index": [2]}).header
    assert moved["exact"] != 0
    assert moved["verdict"] == "right"


def test_layers_and_parameters_are_checked():
    session = session_of(playing.nets()["standard"])
    for of, name, index in (
        ("dy", "conv", [1, 2, 3]),
        ("dy", "fc", [2]),
        ("parameter", "conv.weight", [1, 0, 2, 2]),
        ("parameter", "block.se.fc2.bias", [1]),
        ("parameter", "block.bn1.weight", [0]),
    ):
        question = look(kind="check", label=1, of=of, name=name, index=index)
        found = session.answer(question).header
        assert found["verdict"] == "right", found
        assert found["exact"] != 0


@pytest.mark.parametrize("large", [0, 10**9])
def test_a_check_says_the_same_by_the_kernels_and_by_the_specification(monkeypatch, large):
    used = []
    with monkeypatch.context() as patch:
        patch.setattr(checking, "LARGE", large)
        in_float64 = checking._in_float64

        def noted(net):
            used.append(backend.current().name)
            return in_float64(net)

        patch.setattr(checking, "_in_float64", noted)
        session = session_of(playing.nets()["standard"])
        question = look(kind="check", label=1, of="dz", name="block.se", index=[1])
        found = session.answer(question).header
    assert used == ["numpy" if large else backend.on_processor().name]
    assert found["verdict"] == "right"
    assert found["exact"] == pytest.approx(found["backward"], rel=1e-4)


class Wrong(nn.Layer):
    """A backward that forgets a factor."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x, training=True):
        return self.factor * x, lambda dy: dy


@pytest.mark.parametrize("factor", [3, 1.0001])
def test_a_wrong_backward_is_called_wrong(factor):
    session = session_of(playing.net_with(lambda *_, **__: Wrong(factor)))
    question = look(kind="check", label=1, of="dy", name="act", index=[1, 2, 3])
    found = session.answer(question).header
    assert found["verdict"] == "wrong"
    assert found["words"].startswith("wrong: no step makes")
    assert found["numeric"] == pytest.approx(factor * found["exact"], rel=1e-6)


def test_what_rounding_in_float32_makes_of_a_gradient_is_told():
    net = playing.nets()["none"]
    net.fc.bias.value[2] = 30  # its probability is 1 in float32
    question = look(kind="check", label=2, of="dy", name="fc", index=[2])
    found = session_of(net).answer(question).header
    assert found["backward"] == 0 != found["exact"]
    assert "in float32 rounding makes 0 of it" in found["words"]


class Bent(nn.Layer):
    """|x| with a backward that cannot be one of its slopes."""

    def forward(self, x, training=True):
        return np.abs(x), lambda dy: 3 * dy


def test_where_kinks_hide_the_slope_backward_is_not_called_wrong():
    net = playing.nets()["none"]
    net.act, net.conv.bias.value[...] = Bent(), 0
    given = playing.images()
    given[1] = 0
    session = Session(net, collect(net, given, mean=0, std=1))  # the second is 0 everywhere
    question = look(kind="check", label=1, of="dy", name="conv", index=[1, 2, 2])
    found = session.answer(question).header
    assert found["exact"] != 0
    assert found["verdict"] == Verdict.KINK.value
    assert found["words"].startswith("several kinks meet here")


class ScoresItself(nn.SEBlock):
    """A net that is an SE block, and has no name within another."""

    def forward(self, x, training=True):
        y, backward = super().forward(x, training)
        z, pool_backward = nn.GlobalAvgPool().forward(y, training)
        return z, lambda dz: backward(pool_backward(dz))


@pytest.mark.parametrize("of", ["ds", "dz", "dhidden"])
def test_numbers_of_a_block_that_is_the_whole_net_are_checked(of):
    net = ScoresItself(4, 2, activation="silu", rng=np.random.default_rng(0))
    session = session_of(net, playing.images(channels=4))
    question = look(kind="check", label=1, of=of, name="", index=[1])
    found = session.answer(question).header
    assert found["verdict"] == "right"
    assert found["exact"] != 0


def test_a_kink_is_told_as_one():
    net = playing.nets()["none"]
    net.act, net.conv.bias.value[...] = nn.ReLU(), 0
    given = playing.images()
    given[1] = 0
    session = Session(net, collect(net, given, mean=0, std=1))  # the second is 0 everywhere
    question = look(kind="check", label=1, of="dy", name="conv", index=[1, 2, 3])
    found = session.answer(question).header
    assert found["verdict"] == Verdict.KINK.value
    assert "on one side" in found["words"]


def test_what_cannot_be_checked_is_said():
    session = session_of(playing.nets()["se"])
    for fields, message in (
        ({"of": "dy", "name": "none", "index": [0]}, "there is no dy of 'none'"),
        ({"of": "dw", "name": "conv", "index": [0]}, "there is no dw of 'conv'"),
        ({"of": "dx", "name": "conv", "index": [0, 0, 0]}, "there is no dx of 'conv'"),
        ({"of": "dx", "name": "se", "index": [0]}, "has no entry (0,)"),
        ({"of": "ds", "name": "se", "index": [4]}, "ds of se (4,) has no entry (4,)"),
        ({"of": "parameter", "name": "fc", "index": [4]}, "there is no parameter of 'fc'"),
        ({"of": "ds", "name": "se", "index": [-1]}, "index is -1"),
        ({"of": "ds", "name": "se", "index": 3}, "index is 3"),
    ):
        refused(session.answer(look(kind="check", label=1) | fields), message)
    refused(session.answer(look(kind="check", of="ds", name="se", index=[1])), "choose the class")


def test_a_session_keeps_the_backend_it_was_made_with():
    with backend.using("numpy"):
        session = session_of(playing.nets()["se"])
        expected = session.answer(look(label=1)).numbers
    found = {}

    def elsewhere():
        found["answer"] = session.answer(look(label=1)).numbers

    with backend.using("numba"):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert session.answer(look(label=1)).numbers == expected
    assert found["answer"] == expected


def test_answers_to_several_threads_do_not_mix():
    session = session_of(playing.nets()["se"])
    questions = [look(image={"from": "test", "number": n}, label=1) for n in range(6)]
    expected = [session.answer(q).numbers for q in questions]
    found = {}

    def ask(n):
        for _ in range(20):
            found[n] = found.get(n, True) and session.answer(questions[n]).numbers == expected[n]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(6), True)


def test_images_of_several_channels_and_of_numbers():
    net = playing.net_with(playing.BLOCKS["se"], in_channels=3)
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((6, 3, playing.SIDE, playing.SIDE))
    session = Session(net, collect(net, numbers))
    answer = session.answer(look(label=1))
    expected = numbers[1].astype(np.float32)
    np.testing.assert_array_equal(arrays(answer)(answer.header["image"]), expected)
    assert answer.header["scores"] == net(expected[None])[0].astype(float).tolist()
    refused(session.answer(look(image={"from": "drawing", "strokes": []})), "no image from")
    refused(session.answer(look(image={"from": "picture", "pixels": []})), "no image from")
    refused(session.answer({"kind": "picture"}, b""), "not grey ones of 28×28")


def test_a_net_in_float64_and_one_in_the_memory_order_of_batches():
    net = playing.nets(np.float64)["se"]
    given = np.asfortranarray(playing.images())
    session = session_of(net, given)
    found = session.answer(look(label=1))
    x = data.to_input(given[1:2], session.collection.mean, session.collection.std, np.float64)
    assert found.header["scores"] == net(x)[0].tolist()


@pytest.mark.parametrize(
    "name", [n for n in models.names() if models.image_shape(n) == models.registry.MNIST]
)
def test_every_net_for_mnist_is_shown(name):
    net = models.create(name)
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
    session = Session(net, collect(net, images))
    answer = session.answer(look(label=4))
    x = session.collection.input(images[1])
    assert answer.header["scores"] == net(x)[0].astype(float).tolist()
    blocks = [layer for layer in answer.header["layers"] if layer["kind"] == "block"]
    assert len(blocks) == sum(layer.gates_channels for _, layer in net.named_layers())
    assert all(block["ds"] is not None and block["dx"] is not None for block in blocks)
