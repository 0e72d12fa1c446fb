"""The widget in JupyterLab: what is done there by keyboard, and what stands there then."""

from pathlib import Path

import pytest
from in_chromium import CHROMIUM, evaluate, needs_chromium, settled
from in_jupyterlab import PATIENCE, jupyterlab, write
from playwright.sync_api import sync_playwright

from minise import data, models
from minise.play import comm
from minise.play.collection import collect
from minise.play.session import Session

CODE = """
import minise
from minise import data
net = minise.models.create("se-cnn", seed=0)
test = data.load("sample").test
minise.play(net, test.images[:100], test.labels[:100])
"""
RUN = """async () => {
    await jupyterapp.restored;
    const { context } = jupyterapp.shell.currentWidget;
    await context.ready;
    await context.sessionContext.ready;
    await jupyterapp.commands.execute("notebook:run-all-cells");
}"""

RESTART = "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()"
ASK_TWICE = """(() => {
    const asked = [];
    const model = { on() {}, off() {}, send: ({ id }) => asked.push(id) };
    for (const _ of [1, 2]) m.default.render({ model, el: document.createElement("div") });
    return asked;
})()"""
GONE = "the kernel has ended, or begun anew; run this cell again"


def scores(page):
    rows = page.locator(".scores tbody tr")
    return rows.evaluate_all("rows => rows.map(row => Number(row.dataset.score))")


def by_python(changes):
    """The scores of the second image."""
    net, test = models.create("se-cnn", seed=0), data.load("sample").test
    session = Session(net, collect(net, test.images[:100], test.labels[:100]))
    look = {"kind": "look", "image": {"from": "test", "number": 1}, "changes": changes}
    return session.answer(look).header["scores"]


@pytest.fixture
def said():
    """What the browser's console had to say, and where from."""
    return []


@pytest.fixture
def page(tmp_path, said):
    """A page of JupyterLab that has run the notebook; it can reach no other machine."""
    write(tmp_path / "play.ipynb", CODE)
    with (
        (tmp_path / "log.txt").open("w") as log,
        jupyterlab(tmp_path, log) as (address, token),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=1000 * PATIENCE
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * PATIENCE)
        page.route(
            lambda url: not url.startswith(f"{address}/"),
            lambda route: (said.append(route.request.url), route.abort()),
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.goto(f"{address}/lab/tree/play.ipynb?token={token}")
        page.wait_for_selector(".jp-Notebook")
        page.evaluate(RUN)
        settled(page)
        yield page
        browser.close()


@needs_chromium
def test_two_views_of_a_widget_take_only_their_own_answers(tmp_path):
    """Both hear all that its kernel says."""
    script = (Path(comm.__file__).parent / "page" / "play.js").read_text("utf-8")
    asked = evaluate(tmp_path, script, ASK_TWICE)
    assert len(asked) == 2
    assert asked[0] != asked[1]


@needs_chromium
@pytest.mark.slow
def test_it_obeys_the_keyboard_until_its_kernel_ends(page, said):
    first = scores(page)
    page.get_by_role("button", name="next test image").press("Enter")
    settled(page)
    before = scores(page)
    assert before != first
    gate = page.get_by_role("slider", name="gate of channel 3 in se2")
    gate.press("Home")
    gate.press("ArrowUp")
    settled(page)
    assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(0.01)
    assert scores(page) == pytest.approx(by_python({"se2": {"gates": {"3": 0.01}}}), abs=1e-6)
    assert scores(page) != before == pytest.approx(by_python({}), abs=1e-6)
    page.get_by_role("button", name="reset se2").press("Enter")
    settled(page)
    assert scores(page) == before
    assert page.locator(".notice").is_hidden()
    page.evaluate(RESTART)
    page.wait_for_selector("[data-state=closed]")
    assert page.locator(".notice").inner_text() == GONE
    assert said == []
