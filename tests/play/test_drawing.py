"""A drawing becomes what `minise predict` makes of a picture of it."""

import io

import numpy as np
import pytest
import strokes
import trained
from PIL import Image

from minise import InputError, data
from minise.play.collection import collect
from minise.play.drawing import SIDE, drawn_digit, ink_of
from minise.play.session import Session


def drawings(count=3):
    rng = np.random.default_rng(0)
    return {
        (k, n): strokes.moved(drawn, rng)
        for k, drawn in strokes.DIGITS.items()
        for n in range(count)
    }


def picture_of(drawn, **saved):
    """A file with black strokes on white, as the page shows them."""
    file = io.BytesIO()
    Image.fromarray(255 - ink_of(drawn)).save(file, "PNG", **saved)
    return file.getvalue()


@pytest.fixture(scope="module")
def session():
    test = data.load("sample").test
    return Session(trained.on_few_digits(), collect(trained.on_few_digits(), test.images[:50]))


def pixels_of(told):
    """Of the answer to a picture, as a page sends them."""
    return np.frombuffer(told.numbers, "<f4").astype(int).tolist()


def look(drawn):
    strokes = [[list(point) for point in stroke] for stroke in drawn]
    return {"kind": "look", "image": {"from": "drawing", "strokes": strokes}}


@pytest.mark.parametrize("which", drawings())
def test_the_digit_is_the_one_that_predict_finds_in_a_picture_of_it(which):
    """All but alike: ink is looked for in a picture, so its faintest rim may be left out."""
    drawn = drawings()[which]
    ours = drawn_digit(drawn).astype(float)
    theirs = data.fit_digit(data.read_picture(io.BytesIO(picture_of(drawn)))).astype(float)
    assert np.abs(ours - theirs).mean() < 3  # of 255
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


def test_a_trained_net_reads_both_alike(session):
    right = []
    for (k, _), drawn in drawings().items():
        told = session.answer({"kind": "picture"}, picture_of(drawn))
        assert told.header["kind"] == "picture"
        asked = {"kind": "look", "image": {"from": "picture", "pixels": pixels_of(told)}}
        by_file, by_hand = (session.answer(q).header["probabilities"] for q in (asked, look(drawn)))
        assert int(np.argmax(by_file)) == int(np.argmax(by_hand))
        np.testing.assert_allclose(by_file, by_hand, atol=0.1)
        right.append(int(np.argmax(by_hand)) == k)
    assert np.mean(right) >= 0.9


def test_ink_is_where_the_pen_went_and_round_at_its_ends():
    ink = ink_of([[(0.25, 0.5), (0.75, 0.5)]])
    assert (ink.shape, ink.dtype) == ((SIDE, SIDE), np.uint8)
    assert (ink[SIDE // 2, SIDE // 4 : 3 * SIDE // 4] == 255).all()
    assert not ink[: SIDE // 2 - 8].any()
    assert not ink[SIDE // 2 + 8 :].any()
    column = ink[:, SIDE // 4 - 4].astype(int)  # beyond the first point
    assert 0 < (column > 127).sum() < (ink[:, SIDE // 2] > 127).sum()
    dot = ink_of([[(0.5, 0.5)]])
    assert np.array_equal(dot > 127, (dot > 127).T)


def test_a_drawing_comes_centred_in_a_box_of_20_wherever_it_was_drawn():
    seven = strokes.DIGITS[7]
    there = [[(0.5 * x + 0.45, 0.5 * y + 0.02) for x, y in stroke] for stroke in seven]
    for drawn in (seven, there):
        digit = drawn_digit(drawn).astype(float)
        rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        total = digit.sum()
        for mass in (digit.sum(axis=1), digit.sum(axis=0)):
            assert abs((mass * np.arange(28)).sum() / total - 14) <= 1
    assert np.array_equal(drawn_digit(seven), drawn_digit(seven))


def test_nothing_drawn_and_a_dot_are_told():
    for nothing in ([], [[]], [[], []]):
        with pytest.raises(InputError, match=r"^nothing drawn$"):
            drawn_digit(nothing)
    for dot in ([[(0.5, 0.5)]], [[(0.5, 0.5), (0.55, 0.55)]]):
        with pytest.raises(InputError, match="too small to be a digit"):
            drawn_digit(dot)
    for corner in ([[(0, 0), (0, 0.5)]], [[(1, 1), (0.5, 1)]]):
        assert drawn_digit(corner).any()


def test_a_net_that_learned_dark_on_light_is_given_that():
    given = 255 - data.load("sample").test.images[:20]
    session = Session(trained.on_few_digits(), collect(trained.on_few_digits(), given))
    drawn = strokes.DIGITS[7]
    seen = session.answer(look(drawn))
    shown = np.frombuffer(seen.numbers, "<f4")[: 28 * 28].reshape(28, 28)
    np.testing.assert_array_equal(shown, 255 - drawn_digit(drawn))
    told = session.answer({"kind": "picture"}, picture_of(drawn))
    theirs = data.fit_digit(data.read_picture(io.BytesIO(picture_of(drawn))))
    shown = np.frombuffer(told.numbers, "<f4").reshape(28, 28)
    np.testing.assert_array_equal(shown, 255 - theirs)


def test_pages_of_one_session_have_their_own_pictures(session):
    """As two views of a widget."""
    told = [session.answer({"kind": "picture"}, picture_of(strokes.DIGITS[k])) for k in (3, 7)]
    for picture in told:
        image = {"from": "picture", "pixels": pixels_of(picture)}
        seen = session.answer({"kind": "look", "image": image})
        assert seen.numbers[: 28 * 28 * 4] == picture.numbers


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (None, "look: pixels is None, expected 784 of them"),
        ([0] * 783, "expected 784 of them"),
        ([0] * 783 + [256], "look: a pixel is 256, expected 0 to 255"),
        ([0] * 783 + [0.5], "look: a pixel is 0.5, expected 0 to 255"),
    ],
)
def test_pixels_that_are_none_are_refused(session, pixels, message):
    image = {"from": "picture", "pixels": pixels}
    told = session.answer({"kind": "look", "image": image}).header
    assert told["kind"] == "refused"
    assert message in told["message"]


def test_a_picture_that_is_none_is_refused(session):
    for content, message in {
        b"": "not a readable picture",
        b"no picture": "not a readable picture",
        picture_of([]): "there is no digit in the picture",
        picture_of(strokes.DIGITS[3])[:60]: "cannot be read",
        bytes(2**25 + 1): "more than 32 MB",
        None: "the bytes of a file are missing",
    }.items():
        refused = session.answer({"kind": "picture"}, content).header
        assert refused["kind"] == "refused"
        assert message in refused["message"]
