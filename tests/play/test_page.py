"""The page in a browser without a window: what is done there, and what stands there then."""

import io
import re

import numpy as np
import pytest
from in_chromium import PATIENCE, needs_chromium, settled
from in_play import SEVEN, by_hand, draw, layer, opened, scores, sentence
from PIL import Image
from playwright.sync_api import expect

from minise import nn
from minise.play.collection import collect
from minise.play.frames import MOST_PICTURE
from minise.play.server import serving
from minise.play.watch import Watcher

pytestmark = needs_chromium
expect.set_options(timeout=PATIENCE)

STOPPED = "minise play has stopped; start it again with: minise play"


def pointed_at(page, name, key, entry, side, channels):
    """What the page says of a number that the mouse is on, in the maps of a layer."""
    maps = layer(page, name).get_by_role("application", name=f"{key} of {name}:")
    maps.scroll_into_view_if_needed()
    box = maps.bounding_box()
    c, i, j = entry
    zoom = box["width"] / (channels * (side + 1))
    maps.hover(position={"x": (c * (side + 1) + j + 0.5) * zoom, "y": (i + 0.5) * zoom})
    text = layer(page, name).locator(".readout").inner_text()
    index = ", ".join(map(str, entry))
    found = re.match(rf"{key}\[{re.escape(index)}\] = (\S+?)(,|$)", text)
    assert found, text
    return float(found[1].replace("−", "-"))


def test_a_seven_drawn_by_mouse_is_read_as_seven(page):
    draw(page, SEVEN)
    assert sentence(page).startswith("the net reads 7, ")
    assert scores(page).argmax() == 7
    expect(page.get_by_role("status").filter(has_text="the net reads 7")).to_have_count(1)
    given = page.locator("canvas.given")
    assert given.get_attribute("width") == "28"


def test_an_empty_sheet_says_nothing_drawn(page):
    draw(page, SEVEN)
    page.get_by_role("button", name="undo", exact=True).click()
    settled(page)
    assert sentence(page) == "nothing drawn"
    draw(page, SEVEN)
    assert sentence(page).startswith("the net reads 7")
    page.get_by_role("button", name="clear").click()
    settled(page)
    assert sentence(page) == "nothing drawn"
    assert page.locator(".minise-play.nothing").count() == 1


def test_a_dragged_gate_changes_the_scores_as_in_python(page, net, collection):
    gate = page.get_by_role("slider", name="gate of channel 5 in se1")
    before = scores(page)
    gate.scroll_into_view_if_needed()
    box = gate.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 12, steps=5)
    page.mouse.up()
    settled(page)
    value = float(gate.get_attribute("aria-valuenow"))
    assert 0.7 < value < 1
    expected = by_hand(net, collection, 0, {"se1": {5: value}})
    assert np.abs(expected - before).max() > 0.01
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    assert "before the change: 7" in page.locator(".answer").inner_text()
    page.get_by_role("button", name="reset se1").click()
    settled(page)
    np.testing.assert_array_equal(scores(page), before)


def test_gates_obey_the_keyboard(page, net, collection):
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    gate.focus()
    own = float(gate.get_attribute("aria-valuenow"))
    for key, value in [("Home", 0), ("End", 1), ("ArrowDown", 0.99), ("PageDown", 0.89)]:
        gate.press(key)
        settled(page)
        assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(value)
    expected = by_hand(net, collection, 0, {"se2": {3: 0.89}})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    gate.press("Delete")
    settled(page)
    assert float(gate.get_attribute("aria-valuenow")) == own


def test_all_blocks_are_switched_off_and_on(page, net, collection):
    before = scores(page)
    page.get_by_label("switch all blocks off").check()
    settled(page)
    ones = {"se1": dict.fromkeys(range(8), 1), "se2": dict.fromkeys(range(16), 1)}
    expected = by_hand(net, collection, 0, ones)
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    assert page.get_by_label("switch se2 off: all gates 1").is_checked()
    page.get_by_label("switch se2 off: all gates 1").uncheck()
    settled(page)
    assert not page.get_by_label("switch all blocks off").is_checked()
    expected = by_hand(net, collection, 0, {"se1": ones["se1"]})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    page.get_by_role("button", name="reset all gates").click()
    settled(page)
    np.testing.assert_array_equal(scores(page), before)


def test_gates_of_a_class_and_another_squeeze(page, net, collection):
    page.get_by_label("gates of se2").select_option(label="mean of class 3")
    settled(page)
    means = dict(enumerate(collection.means["se2"][3]))
    expected = by_hand(net, collection, 0, {"se2": means})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    page.get_by_role("button", name="reset se2").click()
    settled(page)
    before = scores(page)
    page.get_by_label("squeeze of se2").select_option("max")
    settled(page)
    assert np.abs(scores(page) - before).max() > 1e-3


def test_steps_and_their_undoing_give_the_same_bits(page):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    before, loss = scores(page), page.locator(".loss").inner_text()
    page.get_by_role("button", name="10 steps").click()
    settled(page)
    expect(page.get_by_text("10 steps taken. Nothing on disk is changed.")).to_be_visible()
    assert scores(page)[3] > before[3]
    assert page.get_by_role("img", name="the loss over 10 steps").is_visible()
    for _ in range(10):
        page.get_by_role("button", name="undo step").click()
        settled(page)
    np.testing.assert_array_equal(scores(page), before)
    assert page.locator(".loss").inner_text() == loss
    page.get_by_role("button", name="1 step", exact=True).click()
    settled(page)
    assert (scores(page) != before).any()
    page.get_by_role("button", name="undo all steps").click()
    settled(page)
    np.testing.assert_array_equal(scores(page), before)


def test_the_two_paths_of_a_block_sum_to_dx(page, net, collection):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    found = Watcher(net).watch(collection.input(collection.images[0]))
    found.backward(3)
    scaled = found.blocks["se1"].scaled[0]
    for entry in np.argsort(-np.abs(scaled), axis=None)[[0, 5, 50]]:
        where = tuple(map(int, np.unravel_index(entry, scaled.shape)))
        a, b, dx = (
            pointed_at(page, "se1", key, where, 28, 8) for key in ("scaled", "squeezed", "dx")
        )
        assert a
        assert b
        assert a == pytest.approx(scaled[where], rel=1e-6)
        assert np.float32(a) + np.float32(b) == pytest.approx(dx, rel=1e-6)


@pytest.mark.parametrize(("row", "of"), [("ds", "ds"), ("z", "dz")])
def test_a_number_of_backward_is_checked(page, row, of):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    block = layer(page, "se1")
    bars = block.get_by_role("application", name=re.compile(rf"^{row} of se1"))
    bars.focus()
    bars.press("ArrowRight")
    bars.press("ArrowRight")
    block.get_by_role("button", name=re.compile(rf"check this number: {of}\[\d\]")).click()
    settled(page)
    text = block.locator(".checked p").inner_text()
    found = re.match(rf"{of}\[\d\]: backward (\S+), finite difference ([^\s,]+),", text)
    assert found, text
    backward, numeric = (float(t.replace("−", "-")) for t in found.groups())
    assert backward == pytest.approx(numeric, rel=1e-4)


def test_keys_move_over_the_numbers_of_maps(page):
    maps = layer(page, "conv1").get_by_role("application", name="y of conv1")
    maps.focus()
    readout = layer(page, "conv1").locator(".readout")
    assert readout.inner_text().startswith("y[0, 0, 0] = ")
    for key, index in [("ArrowRight", "0, 0, 1"), ("ArrowDown", "0, 1, 1")]:
        maps.press(key)
        assert readout.inner_text().startswith(f"y[{index}] = ")
    for _ in range(27):
        maps.press("ArrowRight")
    assert readout.inner_text().startswith("y[1, 1, 0] = ")


def test_test_images_are_picked_by_class_and_mistake(page, net, collection):
    page.get_by_label("test images", exact=True).select_option("4")
    settled(page)
    fours = np.flatnonzero(collection.labels == 4)
    text = page.locator(".picker p")
    assert text.inner_text() == f"test image {fours[0]}, 1 of {len(fours)}: 4"
    page.get_by_role("button", name="next test image").click()
    settled(page)
    assert text.inner_text().startswith(f"test image {fours[1]}, 2 of")
    expected = by_hand(net, collection, fours[1], {})
    np.testing.assert_allclose(scores(page), expected, rtol=1e-6, atol=1e-6)
    page.get_by_label("test images", exact=True).select_option(label="of any class")
    page.get_by_label("only those it gets wrong").check()
    settled(page)
    wrong = np.flatnonzero(collection.answers != collection.labels)
    assert text.inner_text().startswith(f"test image {wrong[0]}, 1 of {len(wrong)}: ")
    assert scores(page).argmax() == collection.answers[wrong[0]]
    note = page.locator(".answer .quiet")
    assert note.inner_text() == f"it should be {collection.labels[wrong[0]]}"
    page.get_by_label("only those it gets wrong").uncheck()
    settled(page)
    assert note.inner_text() == "right"


def test_a_picture_file_is_read_and_what_is_none_is_refused(page, collection):
    seven = np.flatnonzero(collection.labels == 7)[0]
    picture = Image.fromarray(255 - collection.images[seven, 0]).resize((280, 280))
    file = io.BytesIO()
    picture.save(file, "png")
    chooser = page.get_by_label("or choose a picture, or drop it here")
    png = {"name": "seven.png", "mimeType": "image/png", "buffer": file.getvalue()}
    chooser.set_input_files(png)
    expect(page.get_by_text("your picture")).to_have_count(1)
    settled(page)
    assert sentence(page).startswith("the net reads 7")
    chooser.set_input_files(png | {"buffer": b"no picture"})
    refusal = page.locator(".input .refusal")
    expect(refusal).to_contain_text("picture")
    chooser.set_input_files(png | {"buffer": bytes(MOST_PICTURE + 1)})
    expect(refusal).to_have_text("the picture has 8.1 MB, and may have 8: make it smaller")
    settled(page)


def test_a_folder_that_is_dropped_is_refused(page):
    page.evaluate(
        """() => {
          const folder = new File([], "pictures");
          folder.arrayBuffer = () => Promise.reject(new DOMException("", "NotFoundError"));
          const event = new Event("drop", { cancelable: true });
          event.dataTransfer = { files: [folder] };
          document.querySelector(".panel.input").dispatchEvent(event);
        }"""
    )
    refusal = "pictures cannot be read, expected the file of a picture"
    expect(page.locator(".input .refusal")).to_have_text(refusal)


def test_reading_along_opens_beside_each_panel_and_layer(page):
    reads = page.locator(".read > summary")
    assert reads.count() > 12
    for n in range(reads.count()):
        if reads.nth(n).is_visible():
            reads.nth(n).click()
    settled(page)
    block = layer(page, "se1")
    assert block.locator(".read math").count() > 1
    assert "def forward" in block.locator(".read pre").first.inner_text()
    page.locator("[data-layer=se1] .text > details summary").last.click()
    assert block.locator(".tutorial").inner_text()


def test_a_reload_begins_anew(page):
    before = scores(page)
    draw(page, SEVEN)
    page.get_by_label("switch all blocks off").check()
    settled(page)
    page.reload()
    settled(page)
    np.testing.assert_array_equal(scores(page), before)


def test_two_pages_do_not_disturb_each_other(browser, address, page):
    with opened(browser, address) as other:
        before = scores(other)
        page.get_by_label("the right answer").select_option("3")
        page.get_by_role("button", name="1 step", exact=True).click()
        settled(page)
        other.get_by_label("mark the mean gates of").select_option("2")
        draw(other, SEVEN)
        assert sentence(other).startswith("the net reads 7")
        other.get_by_role("button", name="next test image").click()
        other.get_by_role("button", name="previous test image").click()
        settled(other)
        np.testing.assert_array_equal(scores(other), before)


def test_a_server_that_stops_is_one_sentence(browser, net, collection, capfd):
    with serving(net, collection, "a net") as address:
        context = opened(browser, address)
        page = context.__enter__()
        draw(page, SEVEN)
    expect(page.get_by_role("alert")).to_have_text(STOPPED)
    before = scores(page)
    page.get_by_role("slider", name="gate of channel 0 in se1").press("End")
    page.get_by_role("button", name="clear").click()
    page.wait_for_timeout(300)
    expect(page.get_by_role("alert")).to_have_text(STOPPED)
    np.testing.assert_array_equal(scores(page), before)
    context.__exit__(None, None, None)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_a_screen_reader_is_told(page):
    page.get_by_label("the right answer").select_option("3")
    settled(page)
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["minise play"]
    names = page.get_by_role("heading", level=2).all_inner_texts()
    assert names == ["Draw", "Scores", "Backward, and a step", "The net"]
    for name in [*names, "Answer"]:
        assert page.get_by_role("region", name=name, exact=True).count() == 1
    assert page.get_by_role("slider").count() == 8 + 16
    snapshot = page.locator("#minise-play").aria_snapshot()
    assert '- slider "gate of channel 15 in se2"' in snapshot
    assert '- rowheader "7"' in snapshot
    unnamed = re.findall(
        r"^ *- (button|combobox|checkbox|slider|spinbutton|application|img):?$", snapshot, re.M
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [390, 860, 1280, 2560, 3840])
def test_nothing_stands_beyond_the_edge(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_label("the right answer").select_option("3")
    page.get_by_role("slider", name="gate of channel 5 in se1").press("Home")
    page.get_by_role("button", name="10 steps").click()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    columns = page.locator(".layers").evaluate("e => getComputedStyle(e).gridTemplateColumns")
    plain = page.locator(".layer:not(.block)").first.bounding_box()
    assert abs(plain["width"] - float(columns.split("px")[0])) < 1  # it takes all of its column
    beyond = page.evaluate(
        """[...document.querySelectorAll(":is(canvas, svg, .gate, button, select)")]
          .filter(e => e.getBoundingClientRect().right > innerWidth - 8).length"""
    )
    assert beyond == 0


def test_a_finger_draws_and_does_not_scroll(browser, address):
    with opened(browser, address, has_touch=True) as page:
        devtools = page.context.new_cdp_session(page)
        box = page.locator("canvas.sheet").bounding_box()
        for n, (x, y) in enumerate(SEVEN):
            point = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
            kind = "touchMove" if n else "touchStart"
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        settled(page)
        assert sentence(page).startswith("the net reads 7, ")
        assert page.evaluate("scrollY") == 0


def test_both_colour_scales_rise_in_lightness(page):
    scales = page.evaluate(
        """import("./play.js").then(({ SCALES }) =>
          Object.fromEntries(Object.entries(SCALES).map(([name, scale]) => [name, [...scale]])))"""
    )
    for scale in scales.values():
        rgb = np.array(scale, np.uint32).view(np.uint8).reshape(256, 4)[:, :3] / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = linear @ [0.2126, 0.7152, 0.0722]
        assert (np.diff(luminance) >= 0).all()
        assert luminance[0] < 0.02
        assert luminance[-1] > 0.9


def test_text_stands_out_from_what_is_behind_it(browser, address):
    for scheme in ("light", "dark"):
        with opened(browser, address, color_scheme=scheme) as page:
            for selector, behind in [
                (".quiet", ".panel"),
                ("header .quiet", "body"),
                (".value", ".panel"),
                (".read > summary", ".panel"),
                (".sentence", ".panel"),
                (".drop", ".panel"),
            ]:
                ratio = contrast(page, selector, behind)
                assert ratio >= 4.5, (scheme, selector, ratio)


def contrast(page, selector, behind):
    def luminance(selector, what):
        text = page.evaluate(
            "([selector, what]) => getComputedStyle(document.querySelector(selector))[what]",
            [selector, what],
        )
        rgb = np.array([int(v) for v in re.findall(r"\d+", text)[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    light = [luminance(selector, "color") + 0.05, luminance(behind, "backgroundColor") + 0.05]
    return max(light) / min(light)


MODEL = """() => import("./play.js").then(({ default: widget }) => {
  window.asked = [];
  window.heard = {};
  const model = {
    on: (name, listener) => { heard[name] = listener; },
    off: (name) => { delete heard[name]; },
    send: (question) => asked.push(question),
  };
  const el = document.createElement("div");
  document.body.append(el);
  window.end = widget.render({ model, el });
})"""


def test_a_widget_is_told_when_its_kernel_has_ended(page):
    page.evaluate(MODEL)
    assert page.evaluate("asked[0].kind") == "hello"
    page.evaluate("heard['msg:custom']({ kind: 'net', id: asked[0].id + 1 }, [])")  # another view's
    page.evaluate("heard['comm_live_update']()")
    alert = page.get_by_role("alert").filter(has_text="the kernel has ended")
    expect(alert).to_have_text("the kernel has ended, or begun anew; run this cell again")
    page.evaluate("end()")
    assert page.evaluate("Object.keys(heard)") == []


def test_the_style_sheet_leaves_the_rest_of_a_notebook_alone(page):
    selectors = page.evaluate(
        """() => {
          const all = (rules) => [...rules].flatMap(
            (rule) => rule.selectorText ? [rule.selectorText] : all(rule.cssRules ?? []));
          return all(document.styleSheets[0].cssRules);
        }"""
    )
    assert len(selectors) > 100
    assert [s for s in selectors if "minise-play" not in s] == []


def test_a_wide_layer_shows_its_first_maps_and_says_so(browser):
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        conv=nn.Conv2d(3, 112, 3, padding=1, rng=rng),
        se=nn.SEBlock(112, rng=rng),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(112, 3, rng=rng),
    )
    images = rng.standard_normal((6, 3, 12, 12)).astype(np.float32)
    with serving(net, collect(net, images)) as address, opened(browser, address) as page:
        expect(page.get_by_text("This net's images are 3×12×12")).to_be_visible()
        assert page.locator("canvas.sheet").count() == 0
        assert "first 64 of 112" in layer(page, "conv").locator(".about").inner_text()
        assert "first 64 of 112" in layer(page, "se").locator(".about").inner_text()


SENT = """() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) { window.sent = text; send.call(this, text); };
}"""


def test_a_layer_is_asked_for_when_it_comes_near_the_window(browser, address):
    with opened(browser, address, width=390) as page:
        assert page.get_by_role("slider").count() == 8 + 16  # which a screen reader finds at once
        page.evaluate(SENT)
        page.get_by_role("button", name="next test image").click()
        settled(page)
        assert "pool2" not in page.evaluate("JSON.parse(window.sent).open")
        colours = "canvas => canvas.toDataURL()"
        maps = layer(page, "pool2").locator("canvas").first
        before = maps.evaluate(colours)
        layer(page, "pool2").scroll_into_view_if_needed()
        settled(page)
        assert "pool2" in page.evaluate("JSON.parse(window.sent).open")
        assert maps.evaluate(colours) != before
        page.evaluate("scrollTo(0, 0)")
        settled(page)
        page.get_by_label("the right answer").select_option("3")  # and when nothing is asked
        expect(layer(page, "pool2").get_by_text("the loss's gradient of it")).to_be_visible()


def test_a_layer_that_is_closed_is_asked_for_when_it_is_opened(page):
    asked = []
    page.evaluate(SENT)
    summary = layer(page, "pool1").locator("> details > summary")
    for opened_layers in (False, True):
        summary.click()
        settled(page)
        asked.append("pool1" in page.evaluate("JSON.parse(window.sent).open"))
        assert asked[-1] is opened_layers
    assert layer(page, "pool1").locator("canvas").first.is_visible()
