"""From a stroke to the scores that are drawn, in a browser: the median, and the server's memory.

    PYTHONPATH=tests python tests/play/latency.py se-cnn se-resnet8 --strokes 200

Each stroke is a line of 12 points, 8 ms apart as a mouse gives them; the time runs from its last
point to the end of the frame that draws the last change of the table of scores.
"""

import argparse
import statistics

import numpy as np
from in_chromium import CHROMIUM
from playwright.sync_api import sync_playwright

from minise import data, models
from minise.play.collection import collect
from minise.play.server import serving

MEASURE = """
async ([strokes, pause]) => {
  const sheet = document.querySelector(".minise-play canvas");
  const scores = document.querySelector(".minise-play table");
  const buttons = [...document.querySelectorAll(".minise-play button")];
  const clear = buttons.find((button) => button.textContent === "clear");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const send = (name, [x, y]) => {
    const box = sheet.getBoundingClientRect();
    const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
    sheet.dispatchEvent(new PointerEvent(name, {
      ...place, pointerId: 1, isPrimary: true, bubbles: true, button: 0,
      buttons: name === "pointerup" ? 0 : 1,
    }));
  };
  let last = 0;
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => { last = performance.now(); }; // behind the frame's layout and paint
  new MutationObserver(() => requestAnimationFrame(() => port1.postMessage(null))).observe(
    scores, { childList: true, subtree: true, characterData: true, attributes: true });
  const times = [];
  for (const points of strokes) {
    send("pointerdown", points[0]);
    for (const point of points.slice(1, -1)) { await wait(8); send("pointermove", point); }
    await wait(8);
    last = 0;
    const begun = performance.now();
    send("pointermove", points.at(-1));
    send("pointerup", points.at(-1));
    await wait(pause);
    if (last) times.push(last - begun);
    clear.click();
    await wait(30);
  }
  return times;
}
"""


def resident():
    """The memory that this process holds, in MB; on Linux."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="+")
    parser.add_argument("--strokes", type=int, default=200)
    parser.add_argument("--pause", type=int, default=200, help="ms that are waited for an answer")
    given = parser.parse_args()
    test = data.load("sample").test
    rng = np.random.default_rng(0)
    ends = rng.uniform(0.15, 0.85, (given.strokes, 2, 2))
    t = np.linspace(0, 1, 12)[:, None]
    strokes = [(a + t * (b - a)).tolist() for a, b in ends]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name in given.nets:
            net = models.create(name)
            with serving(net, collect(net, test.images, test.labels), name) as address:
                page = browser.new_page()
                page.goto(address)
                page.wait_for_selector(".minise-play[data-state=ready] table", timeout=60_000)
                page.wait_for_timeout(1000)
                page.evaluate(MEASURE, [strokes[:20], given.pause])  # warm
                before = resident()
                times = page.evaluate(MEASURE, [strokes, given.pause])
                nine = statistics.quantiles(times, n=10)
                print(
                    f"{name}: median {statistics.median(times):.1f} ms of {len(times)} strokes, "
                    f"nine in ten below {nine[-1]:.1f} ms; "
                    f"memory {before:.0f} MB, then {resident():.0f} MB"
                )
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
