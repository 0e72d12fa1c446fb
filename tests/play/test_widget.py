"""The widget of a notebook, asked over a comm that is none."""

import base64
import gc
import io
import sys
import weakref

import comm
import numpy as np
import pytest
from comm.base_comm import BaseComm
from PIL import Image

import minise
from minise import backend, models, nn
from minise.play.collection import collect
from minise.play.session import Session

VIEW = "application/vnd.jupyter.widget-view+json"
LOOK = {"kind": "look", "id": 3, "image": {"from": "test", "number": 2}, "label": 1}


class Recorded(BaseComm):
    """Keeps what the kernel says; `ask` is what a page says."""

    def __init__(self, *args, **kwargs):
        self.said = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self.said.append((msg_type, data, buffers))

    def ask(self, question, *buffers):
        """The answer: a header, and numbers; None where there is none."""
        before = len(self.said)
        message = {"method": "custom", "content": question}
        self.handle_msg({"content": {"data": message}, "buffers": list(buffers)})
        if len(self.said) == before:
            return None
        ((kind, data, (numbers,)),) = self.said[before:]
        assert (kind, data["method"]) == ("comm_msg", "custom")
        return data["content"], numbers


@pytest.fixture
def notebook(monkeypatch):
    """As if a kernel were there."""
    monkeypatch.setattr(comm, "create_comm", Recorded)


@pytest.fixture(scope="module")
def net():
    return models.create("se-cnn", seed=0)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 1, 28, 28), np.uint8)


LABELS = np.arange(12) % 3


@pytest.mark.usefixtures("notebook")
def test_it_answers_as_a_session_does(net, images):
    widget = minise.play(net, images, LABELS, mean=0.2, std=0.4)
    session = Session(net, collect(net, images, LABELS, 0.2, 0.4))
    for question in ({"kind": "hello", "id": 1}, LOOK, {"kind": "look", "id": 4}, "a text", None):
        header, numbers = widget.comm.ask(question)
        expected = session.answer(question)
        assert header == expected.header
        assert numbers == expected.numbers
    assert header["kind"] == "refused"


@pytest.mark.usefixtures("notebook")
def test_a_picture_comes_in_a_buffer(net, images):
    widget = minise.play(net, images)
    file = io.BytesIO()
    sheet = np.full((60, 60), 255, np.uint8)
    sheet[10:50, 28:34] = 0  # a one
    Image.fromarray(sheet).save(file, "png")
    header, _ = widget.comm.ask({"kind": "picture", "id": 1}, memoryview(file.getvalue()))
    assert header["kind"] == "picture"
    header, _ = widget.comm.ask({"kind": "picture", "id": 2})
    assert (header["kind"], header["id"]) == ("refused", 2)


@pytest.mark.usefixtures("notebook")
def test_what_goes_wrong_is_said_on_the_page_and_nowhere_else(net, images, monkeypatch, capfd):
    widget = minise.play(net, images)

    def fail(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(Session, "answer", fail)
    header, numbers = widget.comm.ask(LOOK)
    message = "this cannot be computed: ZeroDivisionError: division by zero"
    assert header == {"kind": "refused", "message": message, "id": 3}
    assert numbers == b""
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("notebook")
def test_each_has_a_net_of_its_own(net, images):
    before = net(collect(net, images).inputs(images))
    one, other = minise.play(net, images), minise.play(net, images)
    untouched, _ = other.comm.ask(LOOK)
    stepped, _ = one.comm.ask(LOOK | {"kind": "step", "lr": 0.1})
    assert stepped["scores"] != untouched["scores"]
    assert other.comm.ask(LOOK)[0]["scores"] == untouched["scores"]
    np.testing.assert_array_equal(net(collect(net, images).inputs(images)), before)


@pytest.mark.usefixtures("notebook")
def test_closed_it_answers_no_more_and_keeps_nothing(net, images):
    widget = minise.play(net, images)
    kept = weakref.ref(widget._session)
    line = widget.comm
    assert line.ask(LOOK)
    widget.close()
    assert line.ask(LOOK) is None
    widget.close()
    gc.collect()
    assert kept() is None


@pytest.mark.usefixtures("notebook")
def test_it_computes_with_the_backend_in_which_it_was_made(net, images, monkeypatch):
    used = []
    about = Session._answer

    def told(*arguments):
        used.append(backend.current().name)
        return about(*arguments)

    monkeypatch.setattr(Session, "_answer", told)
    with backend.using("numpy"):
        widget = minise.play(net, images)
    with backend.using("numba"):
        widget.comm.ask(LOOK)
    assert used == ["numpy"]


@pytest.mark.usefixtures("notebook")
def test_what_jupyter_keeps_in_step_is_the_page_alone(net, images):
    """Images and gates among the widget's traits would be compared and sent as a whole."""
    state = minise.play(net, images).get_state()
    large = {name for name, value in state.items() if len(repr(value)) > 200}
    assert large == {"_esm", "_css"}
    assert "export default" in state["_esm"]


@pytest.mark.usefixtures("notebook")
def test_a_picture_is_shown_where_no_kernel_runs(net, images):
    widget = minise.play(net, images, LABELS)
    bundle, metadata = widget._repr_mimebundle_()
    assert bundle[VIEW]["model_id"] == widget.model_id
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert metadata == {"image/png": {"width": 640}}
    assert picture.width >= 600
    assert not callable(widget._ipython_display_)  # that of ipywidgets 7 would come before it
    assert bundle["text/plain"].startswith("minise.play: image 0, of class 0, which the net takes")


@pytest.mark.usefixtures("notebook")
def test_beside_numbers_that_are_no_pixels_nothing_is_drawn(net, images):
    numbers = images / 255 - 0.5
    header, _ = minise.play(net, numbers).comm.ask({"kind": "hello"})
    assert header["draws"] is False
    header, _ = minise.play(net, images).comm.ask({"kind": "hello"})
    assert header["draws"] is True


def test_in_a_plain_python_it_says_what_to_do(net, images):
    with pytest.raises(minise.InputError, match=r"no notebook here .* in a terminal: minise play"):
        minise.play(net, images)


@pytest.mark.usefixtures("notebook")
def test_without_anywidget_it_says_what_to_install(net, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "minise.play.comm", raising=False)
    with pytest.raises(minise.InputError, match="pip install anywidget") as caught:
        minise.play(net, images)
    assert "\n" not in str(caught.value)


def ones(*shape, dtype=np.uint8):
    return np.ones(shape, dtype)


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"net": lambda x: x}, "net is function"),
        ({"net": nn.ReLU()}, r"the net gives \(12, 1, 28, 28\)"),
        ({"images": ones(1, 28, 28)}, r"images have shape \(1, 28, 28\), expected \(N, C, H, W\)"),
        ({"images": ones(0, 1, 28, 28)}, r"images have shape \(0, 1, 28, 28\)"),
        ({"images": "digits"}, r"images have shape \(\)"),
        ({"images": ones(2, 1, 28, 28, dtype=int)}, "images are int64, expected pixels of uint8"),
        (
            {"images": np.full((2, 1, 28, 28), np.nan)},
            "images have NaN or infinity, expected finite",
        ),
        (
            {"images": ones(2, 3, 28, 28), "mean": 0.5, "std": 1.0},
            "does not take images .* 3 channels",
        ),
        ({"images": ones(2, 1, 20, 20, dtype=float)}, "does not take images .* 400 features"),
        ({"labels": [1, 2]}, r"labels are int64 \(2,\), expected a whole number for each of 12"),
        ({"labels": LABELS / 2}, r"labels are float64 \(12,\)"),
        ({"labels": LABELS + 8}, "labels are 8 to 10, the net has 10 classes"),
        ({"labels": LABELS - 1}, "labels are -1 to 1, the net has 10 classes"),
        ({"mean": 0.1}, "mean and std are given together"),
        ({"mean": 0.1, "std": 0.0}, "cannot be normalised by mean 0.1 and std 0"),
        ({"images": ones(2, 1, 28, 28), "labels": [0, 1]}, "normalised by mean .* and std 0"),
        (
            {"images": ones(2, 1, 28, 28, dtype=np.float32), "mean": 0.1, "std": 0.3},
            "these images are float32",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_error(net, images, given, message):
    arguments = {"net": net, "images": images} | given
    with pytest.raises(minise.InputError, match=f"^play: .*{message}") as caught:
        minise.play(**arguments)
    assert "\n" not in str(caught.value)
