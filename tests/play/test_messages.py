"""Any message is answered, or refused in one sentence; and frames hold what was answered."""

import copy
import io
import json
import math

import numpy as np
import pytest
import strokes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minise import InputError, nn
from minise.play import messages
from minise.play.changes import Change
from minise.play.collection import collect
from minise.play.drawing import ink_of
from minise.play.messages import Answer, Numbers, Question
from minise.play.session import KINDS, Session

RNG = np.random.default_rng(0)


def small():
    """A net for 28×28, with both kinds of blocks."""
    return nn.Sequential(
        pool=nn.AvgPool2d(4),
        conv=nn.Conv2d(1, 4, 3, rng=RNG),
        se=nn.ConcurrentSE(4, 2, rng=RNG),
        flatten=nn.Flatten(),
        fc=nn.Linear(100, 10, rng=RNG),
    )


@pytest.fixture(scope="module")
def session():
    net, rng = small(), np.random.default_rng(1)
    images = rng.integers(0, 256, (20, 1, 28, 28), dtype=np.uint8)
    return Session(net, collect(net, images, np.arange(20) % 10))


ONE = json.loads(json.dumps(strokes.DIGITS[1]))
CHANGES = {"se.channel": {"off": False, "like": 2, "gates": {"1": 0.5}, "squeeze": "max"}}
GOOD = [
    {"kind": "hello", "id": 1},
    {
        "kind": "look",
        "image": {"from": "test", "number": 3},
        "changes": CHANGES,
        "label": 4,
        "open": ["se.channel", "fc"],
    },
    {"kind": "look", "image": {"from": "drawing", "strokes": ONE}, "changes": {}},
    {
        "kind": "look",
        "image": {"from": "picture", "pixels": [n % 256 for n in range(28 * 28)]},
        "changes": {"se.spatial": {"off": True}},
    },
    {"kind": "picture", "id": 2},
    {"kind": "step", "image": {"from": "test", "number": 0}, "label": 1, "lr": 0.1},
    {"kind": "undo", "image": {"from": "test", "number": 0}},
    {"kind": "reset", "image": {"from": "test", "number": 0}},
    {
        "kind": "check",
        "image": {"from": "test", "number": 0},
        "label": 0,
        "of": "ds",
        "name": "se.channel",
        "index": [2],
    },
    {"kind": "read", "name": "conv"},
    {"kind": "read", "panel": "loss"},
]
ANSWERS = ("net", "seen", "picture", "checked", "reading", "refused")

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 2**31, 1e308, -0.0])
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["se.channel", "conv", "avg", "test", "drawing", "0", "dx", "parameter"])
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(
            ["kind", "image", "from", "strokes", "changes", "gates", "like", "off"]
        ), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


def places(value, path=()):
    """The paths to all that is in a message."""
    yield path
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value[:3]) if isinstance(value, list) else inside
    for key, inner in inside:
        yield from places(inner, (*path, key))


@st.composite
def spoiled(draw):
    """A good message, in which something is another thing, missing, or too much."""
    message = copy.deepcopy(draw(st.sampled_from(GOOD)))
    message = json.loads(json.dumps(message))
    for _ in range(draw(st.integers(1, 3))):
        if not message:
            return draw(anything)
        path = draw(st.sampled_from([p for p in places(message) if p]))
        holder = message
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            holder[path[-1]] = draw(anything)
        elif draw(st.booleans()):
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(anything)
        else:
            holder.append(draw(anything))
    return message


def check(answer, message):
    """That it can be sent, and that a refusal is a sentence."""
    frame = answer.as_frame()
    length = int.from_bytes(frame[:4], "little")
    assert length % 4 == 0
    header = json.loads(frame[4 : 4 + length])
    assert header["kind"] in ANSWERS
    number = message.get("id") if isinstance(message, dict) else None
    assert header["id"] == (number if type(number) is int else None)
    if header["kind"] == "refused":
        assert 0 < len(header["message"]) < 400
        assert "\n" not in header["message"]


@pytest.mark.parametrize("message", GOOD, ids=lambda m: m["kind"])
def test_what_the_docstring_shows_is_answered(session, message):
    file = io.BytesIO()
    Image.fromarray(255 - ink_of(strokes.DIGITS[1])).save(file, "PNG")
    session.answer({**GOOD[5]})  # a step that can be taken back
    answer = session.answer(message, file.getvalue())
    assert answer.header["kind"] != "refused", answer.header
    check(answer, message)


@given(spoiled())
def test_a_spoiled_message_is_answered_or_refused(session, message):
    check(session.answer(message), message)


@given(anything)
def test_any_json_is_answered_or_refused(session, message):
    check(session.answer(message), message)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(
    ["image", "changes", "label", "open", "lr", "of", "name", "index", "panel", "id"]
), anything))  # fmt: skip
def test_any_fields_are_answered_or_refused(session, kind, fields):
    message = {"kind": kind} | fields
    check(session.answer(message), message)


def test_a_message_that_is_none_of_ours_is_refused():
    for message, told in (
        (None, "has to be an object with a kind"),
        ([], "has to be an object with a kind"),
        ({"kind": 3}, "has to be an object with a kind"),
        ({"kind": "lok"}, "unknown kind of message 'lok': did you mean 'look'"),
        ({"kind": "x" * 10**6}, "unknown kind of message"),
    ):
        with pytest.raises(InputError, match=told):
            Question.of(message, KINDS)


def question(**fields):
    return Question.of({"kind": "look"} | fields, KINDS)


def test_changes_are_read_by_block():
    assert question().changes() == question(changes=None).changes() == {}
    given = {"a": {"off": True}, "b": {"like": 3, "gates": {"5": 1, "0": -2.5}, "squeeze": "max"}}
    assert question(changes=given).changes() == {
        "a": Change(off=True),
        "b": Change(like=3, gates={5: 1.0, 0: -2.5}, squeeze="max"),
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (3, "changes is 3, expected them by block"),
        ([], "changes is \\[\\], expected them by block"),
        ({"a": 1}, "expected them by block"),
        ({"a": {"of": 1}}, "has a change called 'of'"),
        ({"a": {"off": 1}}, "off is 1, expected true or false"),
        ({"a": {"like": -1}}, "like is -1"),
        ({"a": {"like": 1.5}}, "like is 1.5"),
        ({"a": {"squeeze": "min"}}, "squeeze is 'min', expected avg, max, avg\\+max"),
        ({"a": {"squeeze": []}}, "squeeze is \\[\\], expected avg"),
        ({"a": {"gates": [1]}}, "gates is \\[1\\], expected them by channel"),
        ({"a": {"gates": {"x": 1}}}, "'x' is no channel"),
        ({"a": {"gates": {"²": 1}}}, "is no channel"),
        ({"a": {"gates": {"1": math.nan}}}, "a gate is nan"),
        ({"a": {"gates": {"1": 101}}}, "a gate is 101, expected -100 to 100"),
        ({"a": {"gates": {"1": 10**400}}}, "expected -100 to 100"),
        ({"a": {"gates": {"1": True}}}, "a gate is True"),
    ],
)
def test_changes_that_are_none_are_refused(changes, told):
    with pytest.raises(InputError, match=told):
        question(changes=changes).changes()


def test_strokes_are_read_and_what_is_too_much_is_refused():
    assert question().strokes({"strokes": [[[0, 1], [0.5, 0.25]], []]}) == [
        [(0, 1), (0.5, 0.25)],
        [],
    ]
    many = [[[0.5, 0.5]] * (messages.MOST_POINTS + 1)]
    for strokes_, told in (
        (None, "strokes is None"),
        ([1], "expected lists of points"),
        ([[1]], "1 is no point"),
        ([[[1, 2, 3]]], "is no point"),
        ([[[0.5, 1.5]]], "a point's place is 1.5, expected 0 to 1"),
        ([[["0", 0]]], "a point's place is '0'"),
        (many, "at most 20,000 points"),
    ):
        with pytest.raises(InputError, match=told):
            question().strokes({"strokes": strokes_})


def test_a_frame_holds_the_arrays_that_its_json_speaks_of():
    numbers = Numbers()
    first, second = RNG.standard_normal((2, 3)), np.arange(4).reshape(2, 2).T
    places_ = [numbers.put(a) for a in (first, second, np.zeros((0, 2)), np.float64(7))]
    assert places_[1] == {"at": 6, "shape": [2, 2]}
    frame = Answer({"a": places_, "b": "ü"}, numbers.tobytes()).as_frame()
    length = int.from_bytes(frame[:4], "little")
    header = json.loads(frame[4 : 4 + length])
    assert header == {"a": places_, "b": "ü"}
    values = np.frombuffer(frame[4 + length :], "<f4")
    assert (4 + length) % 4 == 0
    np.testing.assert_array_equal(values[:6].reshape(2, 3), first.astype(np.float32))
    np.testing.assert_array_equal(values[6:10].reshape(2, 2), second)
    assert values[10:].tolist() == [7]


def test_every_field_of_an_answer_stands_in_the_docstring(session):
    text = messages.__doc__
    for message in (GOOD[0], GOOD[1], GOOD[8], GOOD[9]):
        header = session.answer(message).header
        for layer in header.get("layers", []):
            header = header | layer
        for name in header:
            assert name in text, name
