"""The page on a slow machine, where answers come late: what is done then, and what stands there."""

import numpy as np
import pytest
from in_chromium import PATIENCE, needs_chromium, settled
from in_play import HOLD, by_hand, layer, scores
from playwright.sync_api import expect

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
