"""The page of `minise play` in a browser: what is done there, and what stands there then."""

import time
from contextlib import contextmanager

import numpy as np
from in_chromium import PATIENCE, settled

SEVEN = [(0.25, 0.2), (0.5, 0.19), (0.75, 0.2), (0.6, 0.5), (0.45, 0.85)]


@contextmanager
def opened(browser, address, width=1280, **options):
    """A page that has its answer, and in whose console nothing may be said."""
    said = []
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    settled(page)
    yield page
    context.close()
    assert said == []


def draw(page, points):
    box = page.locator("canvas.sheet").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    settled(page)


def until(page, condition):
    """Wait for it; the page's own policy forbids what `wait_for_function` does."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(10)


def sentence(page):
    return page.locator(".sentence").inner_text().replace("\u00a0", " ")


def scores(page):
    rows = page.locator(".scores tbody tr")
    return np.array(rows.evaluate_all("rows => rows.map(row => Number(row.dataset.score))"))


def layer(page, name):
    return page.locator(f"article[data-layer='{name}']")


def by_hand(net, collection, number, gates):
    """The scores of a test image, layer after layer, with other gates: by block {channel: gate}."""
    x = collection.input(collection.images[number])
    for name in ("conv1", "relu1", "se1", "pool1", "conv2", "relu2", "se2", "pool2"):
        part = getattr(net, name)
        if name not in gates:
            x = part(x)
            continue
        s = part.gates(x, False)[0]
        for channel, gate in gates[name].items():
            s[:, channel] = gate
        x = x * s[:, :, None, None]
    return net.fc(net.flatten(x))[0]


# What the page asks waits in `held`, in which `held.shift()()` lets one go, and `free()` all.
HOLD = """() => {
  const send = WebSocket.prototype.send;
  window.held = [];
  WebSocket.prototype.send = function (text) { held.push(() => send.call(this, text)); };
  window.free = () => {
    WebSocket.prototype.send = send;
    for (const sent of held.splice(0)) sent();
  };
}"""
