"""The page on a slow machine, where answers come late: what is done then, and what stands there."""

import io
import re

import numpy as np
import pytest
from in_chromium import PATIENCE, needs_chromium, settled
from in_play import HOLD, by_hand, layer, opened, scores, sentence, until
from PIL import Image
from playwright.sync_api import expect

from minise import nn
from minise.play import showing, site
from minise.play.collection import collect
from minise.play.server import serving
from minise.play.session import Session

pytestmark = needs_chromium
expect.set_options(timeout=PATIENCE)

WHOLE = {"width": 1280, "height": 3000}  # so that each layer is near
# The layers are painted anew a tenth of a second after the last time.
ANSWERED = """async before => {
  await new Promise(passed => setTimeout(passed, 200));
  held.shift()();
  const given = document.querySelector("canvas.given");
  while (given.toDataURL() === before) await new Promise(requestAnimationFrame);
}"""


def answered(page):
    """Let the one question that is held be answered and painted, while a newer one waits."""
    given = page.locator("canvas.given").evaluate("canvas => canvas.toDataURL()")
    page.evaluate(ANSWERED, given)


def test_a_gate_goes_on_from_where_it_was_set_while_answers_are_late(page, net, collection):
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    own = page.get_by_role("slider", name="gate of channel 4 in se2")
    page.set_viewport_size(WHOLE)
    settled(page)
    page.evaluate(HOLD)
    page.get_by_role("button", name="next test image").click()
    before = own.get_attribute("aria-valuenow")
    gate.press("Home")
    answered(page)
    assert own.get_attribute("aria-valuenow") != before
    assert float(gate.get_attribute("aria-valuenow")) == 0
    gate.press("ArrowUp")
    page.evaluate("free()")
    settled(page)
    assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(0.01)
    expected = by_hand(net, collection, 1, {"se2": {3: 0.01}})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)


def test_what_is_said_of_an_image_is_not_said_of_the_next(page, net, collection):
    """An answer may come when another image has been picked."""
    answers, labels = collection.answers[1:-1], collection.labels
    n = 1 + int(np.flatnonzero((answers == labels[1:-1]) & (answers != labels[2:]))[0])
    onward = page.get_by_role("button", name="next test image")
    for _ in range(n - 1):
        onward.click()
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    page.evaluate(HOLD)
    onward.click()
    onward.click()
    answered(page)
    assert page.locator(".answer .quiet").inner_text() == "right"
    page.evaluate("free()")
    settled(page)
    loss = page.locator(".loss").inner_text()
    page.get_by_role("button", name="1 step", exact=True).click()
    settled(page)
    assert page.locator(".curve figcaption").inner_text().startswith(f"{loss} → ")
    page.get_by_role("button", name="undo all steps").click()
    settled(page)


def test_the_first_step_is_measured_from_the_image_it_is_of(page):
    """Pressed while the image before still stands on the page."""
    onward = page.get_by_role("button", name="next test image")
    step = page.get_by_role("button", name="1 step", exact=True)
    mark = "e => e.querySelector('.track').style.getPropertyValue('--before')"
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    page.set_viewport_size(WHOLE)
    page.get_by_label("the right answer").select_option("3")
    onward.click()
    settled(page)
    loss, own = page.locator(".loss").inner_text(), gate.get_attribute("aria-valuenow")
    page.get_by_role("button", name="previous test image").click()
    settled(page)
    assert gate.get_attribute("aria-valuenow") != own
    page.evaluate(HOLD)
    onward.click()
    step.click()
    step.click()
    page.evaluate("free()")
    settled(page)
    expect(page.get_by_text("2 steps taken.")).to_be_visible()
    assert page.get_by_role("img", name="the loss over 2 steps").is_visible()
    assert page.locator(".curve figcaption").inner_text().startswith(f"{loss} → ")
    assert float(gate.evaluate(mark)) == pytest.approx(float(own), abs=1e-6)
    page.get_by_role("button", name="undo all steps").click()
    settled(page)
    assert gate.evaluate(mark) == ""


def test_why_a_picture_was_refused_stands_until_another_image_comes(page):
    chooser = page.get_by_label("or choose a picture, or drop it here")
    chooser.set_input_files({"name": "none.png", "mimeType": "image/png", "buffer": b"none"})
    refusal = page.locator(".input .refusal")
    expect(refusal).to_contain_text("picture")
    layer(page, "pool1").locator("> details > summary").click()  # the page asks for its layers anew
    settled(page)
    expect(refusal).to_contain_text("picture")
    page.get_by_role("button", name="next test image").click()
    expect(refusal).to_have_text("")


def held(page):
    """Wait until a question is held."""
    until(page, "held.length > 0")


def picture(content):
    return {"name": "seven.png", "mimeType": "image/png", "buffer": content}


def a_seven(collection):
    """A file with a test image of a seven."""
    pixels = collection.images[np.flatnonzero(collection.labels == 7)[0], 0]
    file = io.BytesIO()
    Image.fromarray(255 - pixels).resize((280, 280)).save(file, "png")
    return file.getvalue()


GIVEN_BACK = {
    "Delete": lambda page, gate: gate.press("Delete"),
    "reset se2": lambda page, gate: button(page, "reset se2").click(),
    "reset all gates": lambda page, gate: button(page, "reset all gates").click(),
}


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("how", GIVEN_BACK)
def test_a_gate_given_back_goes_on_from_the_nets_own(page, net, collection, how):
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    own = gate.get_attribute("aria-valuenow")
    gate.press("Home")
    settled(page)
    page.evaluate(HOLD)
    GIVEN_BACK[how](page, gate)
    assert gate.get_attribute("aria-valuenow") == own
    gate.press("ArrowUp")
    page.evaluate("free()")
    settled(page)
    raised = round(float(own) + 0.01, 4)
    assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(raised)
    expected = by_hand(net, collection, 0, {"se2": {3: raised}})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)


def test_a_gate_goes_on_from_one_or_from_the_mean_that_it_was_set_to(page, net, collection):
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    page.evaluate(HOLD)
    page.get_by_label("switch se2 off: all gates 1").check()
    gate.press("ArrowDown")
    assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(0.99)
    page.get_by_label("gates of se2").select_option(label="mean of class 3")
    gate.press("ArrowUp")
    page.evaluate("free()")
    settled(page)
    means = dict(enumerate(collection.means["se2"][3]))
    means[3] = round(means[3] + 0.01, 4)
    assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(means[3])
    expected = by_hand(net, collection, 0, {"se2": means})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)


def test_a_gate_above_one_stays_there_while_an_answer_without_it_comes(browser):
    rng = np.random.default_rng(0)
    se = nn.SEBlock(2, reduction=1, gate="relu", rng=rng)
    for parameter in se.parameters():
        parameter.value[...] = 0.5 if parameter.value.ndim == 2 else 0
    net = nn.Sequential(se=se, pool=nn.GlobalAvgPool(), fc=nn.Linear(2, 3, rng=rng))
    images = np.full((10, 2, 4, 4), 0.1, np.float32)
    images[0] = 1.8  # its gates are 1.8, those of others 0.1
    given = collect(net, images, np.zeros(10, int))
    with serving(net, given) as address, opened(browser, address) as page:
        gate = page.get_by_role("slider", name="gate of channel 0 in se")
        other = page.get_by_role("slider", name="gate of channel 1 in se")
        page.evaluate(HOLD)
        button(page, "next test image").click()
        gate.press("End")
        page.evaluate("held.shift()()")
        expect(other).to_have_attribute("aria-valuenow", re.compile(r"0\.1"))
        gate.press("ArrowDown")
        assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(1.98)
        page.evaluate("free()")
        settled(page)
        assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(1.98)


def test_steps_that_wait_are_of_what_was_there_when_they_were_asked_for(page, net, collection):
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    page.evaluate(HOLD)
    button(page, "10 steps").click()
    button(page, "next test image").click()
    page.get_by_label("the right answer").select_option("5")
    gate.press("Home")
    page.evaluate("free()")
    settled(page)
    session = Session(net, collection)
    before = {"image": {"from": "test", "number": 0}, "changes": {}, "label": 3}
    for _ in range(10):
        session.answer(before | {"kind": "step", "lr": 0.001})
    now = {"image": {"from": "test", "number": 1}, "changes": {"se2": {"gates": {"3": 0}}}}
    expected = session.answer(now | {"kind": "look", "label": 5}).header
    np.testing.assert_array_equal(scores(page), expected["scores"])
    assert page.locator(".loss").inner_text() == f"loss {expected['loss']:.3g}"
    assert page.locator(".curve").is_hidden()


def test_a_step_may_follow_the_choice_of_a_class_and_an_undoing_at_once(page):
    """The curve begins again where the first step was taken back."""
    page.evaluate(HOLD)
    page.get_by_label("the right answer").select_option("3")
    assert button(page, "1 step").is_enabled()
    button(page, "1 step").click()
    page.evaluate("free()")
    settled(page)
    curve = page.locator(".curve figcaption").inner_text()
    page.evaluate(HOLD)
    button(page, "undo step").click()
    button(page, "1 step").click()
    page.evaluate("free()")
    settled(page)
    assert page.get_by_role("img", name="the loss over 1 steps").is_visible()
    assert page.locator(".curve figcaption").inner_text() == curve


def test_a_curve_is_of_its_own_image_however_many_steps_are_undone(page):
    page.get_by_label("the right answer").select_option("3")
    button(page, "10 steps").click()
    button(page, "next test image").click()
    button(page, "1 step").click()
    for _ in range(2):
        settled(page)
        button(page, "undo step").click()
    settled(page)
    loss = page.locator(".loss").inner_text()
    button(page, "1 step").click()
    settled(page)
    assert page.locator(".curve figcaption").inner_text().startswith(f"{loss} → ")


TWO_VIEWS = """() => import("./play.js").then(({ start, websocket }) => {
  const socket = websocket("socket"), views = [];
  const transport = {
    open: (...view) => views.push(view),
    send: (question) => socket.send(question),
  };
  for (const id of ["one", "other"]) {
    const root = document.body.appendChild(document.createElement("div"));
    root.id = id;
    start(root, transport);
  }
  socket.open(() => views.forEach(([opened]) => opened()),
    (...answer) => views.forEach(([, answered]) => answered(...answer)), () => {});
})"""


def test_the_curve_of_a_view_is_of_its_own_steps(page):
    """Two views of a widget have one net, and hear each other's answers."""
    page.evaluate(TWO_VIEWS)
    one, other = page.locator("#one"), page.locator("#other")
    for view in (one, other):
        view.get_by_label("the right answer").select_option("3")
    for steps, view in enumerate([one, other, one], start=1):
        button(view, "1 step").click()
        expect(view.locator(".learning > .quiet")).to_contain_text(f"{steps} step")
    for count in (1, 2):
        button(one, "1 step").click()
        expect(one.get_by_role("img", name=f"the loss over {count} steps")).to_be_visible()


def checked(page):
    """A number of se1's gradient, whose check was asked for."""
    block = layer(page, "se1")
    bars = block.get_by_role("application", name=re.compile("^ds of se1"))
    bars.focus()
    bars.press("ArrowRight")
    block.get_by_role("button", name=re.compile("check this number")).click()
    return block.locator(".checked")


def test_a_check_stands_until_what_was_checked_is_another(page):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    told = checked(page)
    expect(told).to_contain_text("finite difference")
    layer(page, "pool1").locator("> details > summary").click()  # the page asks for its layers anew
    settled(page)
    assert told.is_visible()
    button(page, "1 step").click()
    expect(told).to_be_hidden()


def test_a_check_that_comes_late_is_not_said_of_another_image(page):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    page.evaluate(HOLD)
    told = checked(page)
    button(page, "next test image").click()
    page.evaluate("held.shift()()")
    held(page)  # the next question, which is sent when the answer to this has come
    assert told.is_hidden()
    page.evaluate("free()")
    settled(page)
    assert told.is_hidden()


def test_why_a_step_was_refused_stands_until_another_is_asked_for(page):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    page.get_by_label("learning rate").fill("")
    button(page, "1 step").click()
    refusal = page.locator(".learning .refusal")
    message = "the learning rate is empty, expected a number above 0"
    assert refusal.inner_text() == message
    layer(page, "pool1").locator("> details > summary").click()
    settled(page)
    assert refusal.inner_text() == message
    page.get_by_label("learning rate").fill("0.1")
    button(page, "1 step").click()
    expect(refusal).to_have_text("")


@pytest.mark.parametrize("readable", [True, False])
def test_a_picture_that_comes_late_is_not_put_before_what_was_picked_since(
    page, net, collection, readable
):
    page.evaluate(HOLD)
    chooser = page.get_by_label("or choose a picture, or drop it here")
    chooser.set_input_files(picture(a_seven(collection) if readable else b"none"))
    held(page)
    button(page, "next test image").click()
    page.evaluate("free()")
    settled(page)
    assert page.locator(".picker p").inner_text().startswith("test image 1, ")
    assert page.locator(".input .refusal").inner_text() == ""
    expected = by_hand(net, collection, 1, {})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)


def test_of_two_pictures_the_last_one_stands(page, collection):
    """Also where it is none: what the page shows is never the one before it in silence."""
    page.evaluate(HOLD)
    chooser = page.get_by_label("or choose a picture, or drop it here")
    for n, content in enumerate((a_seven(collection), b"none")):
        chooser.set_input_files(picture(content))
        if n == 0:
            held(page)
    page.evaluate("free()")
    expect(page.locator(".input .refusal")).to_contain_text("picture")
    settled(page)
    assert page.locator(".picker p").inner_text().startswith("test image 0, ")


def test_a_refusal_that_comes_late_is_not_said_of_another_image(page):
    page.evaluate(HOLD)
    page.locator("canvas.sheet").click()  # a dot
    button(page, "next test image").click()
    page.evaluate("held.shift()()")
    held(page)
    assert page.locator(".minise-play.nothing").count() == 0
    assert sentence(page).startswith("the net reads")
    page.evaluate("free()")
    settled(page)
    assert sentence(page).startswith("the net reads")


def test_gates_far_from_the_window_are_told_when_the_page_rests(page):
    """A screen reader reads them there."""
    page.set_viewport_size({"width": 390, "height": 500})
    gate = page.get_by_role("slider", name="gate of channel 4 in se2")
    settled(page)
    before = gate.get_attribute("aria-valuenow")
    button(page, "next test image").click()
    expect(gate).not_to_have_attribute("aria-valuenow", before)
    expect(gate).not_to_be_in_viewport()


HIDE = """() => {
  const frame = window.requestAnimationFrame, waiting = [];
  window.requestAnimationFrame = (paint) => waiting.push(paint);
  window.show = () => { window.requestAnimationFrame = frame; waiting.forEach(frame); };
}"""


def test_a_page_that_was_hidden_shows_what_was_done(page, net, collection):
    """A browser gives no frames to a tab that is not seen."""
    page.evaluate(HIDE)
    page.get_by_label("the right answer").select_option("3")
    button(page, "1 step").evaluate("button => button.click()")
    button(page, "next test image").evaluate("button => button.click()")
    session = Session(net, collection)
    wish = {"image": {"from": "test", "number": 0}, "label": 3}
    session.answer(wish | {"kind": "step", "lr": 0.001})
    wish["image"] = {"from": "test", "number": 1}
    expected = session.answer(wish | {"kind": "look"}).header
    until(page, f"document.querySelector('tr[data-score=\"{expected['scores'][0]}\"]') !== null")
    assert page.locator("[data-state=busy]").count() == 1
    page.evaluate("show()")
    settled(page)
    assert page.locator(".loss").inner_text() == f"loss {expected['loss']:.3g}"
    assert page.locator(".learning > .quiet").inner_text().startswith("1 step taken")


def test_a_stroke_ends_where_the_sheet_is_cleared(page):
    box = page.locator("canvas.sheet").bounding_box()
    for x in (0.2, 0.5):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 99)
        page.mouse.down()
    button(page, "clear").press("Enter")
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=3)
    page.mouse.up()
    settled(page)
    assert sentence(page) == "nothing drawn"


def test_what_is_ready_is_painted(page):
    shown = """() => {
      const root = document.querySelector("[data-state]");
      const given = root.querySelector("canvas.given");
      window.ready = new Promise(resolve => new MutationObserver(() => {
        if (root.dataset.state === "ready") resolve(given.toDataURL());
      }).observe(root, { attributes: true }));
    }"""
    page.evaluate(shown)
    button(page, "next test image").click()
    ready = page.evaluate("ready")
    settled(page)
    assert ready == page.locator("canvas.given").evaluate("canvas => canvas.toDataURL()")


def test_a_layer_opened_before_the_first_answer_stays_open(browser, address, monkeypatch):
    monkeypatch.setattr(showing, "MOST_NUMBERS", 1)  # so that none is open as given
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(f"({HOLD})()")
    page.goto(address)
    held(page)
    page.evaluate("held.shift()()")  # hello
    conv1 = layer(page, "conv1")
    conv1.locator("> details > summary").click()
    page.evaluate("free()")
    settled(page)
    assert conv1.locator("details").first.get_attribute("open") is not None
    assert conv1.locator("canvas").first.is_visible()
    assert layer(page, "conv2").locator("details").first.get_attribute("open") is None
    page.close()


SOCKET = """window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); window.socket = this; }
};"""


def test_why_the_server_refused_the_page_stands_when_it_has_closed_it(
    browser, address, monkeypatch
):
    monkeypatch.setattr(site, "MOST_PAGES", 0)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(SOCKET)
    page.goto(address)
    until(page, "window.socket?.readyState === WebSocket.CLOSED")
    message = "0 pages are open already: close one, and load this again"
    expect(page.get_by_role("alert")).to_have_text(message)
    assert page.locator("[data-state=closed]").count() == 1
    page.close()
