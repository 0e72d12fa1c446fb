"""A browser without a window: modules of JavaScript in a page, and when a page has settled."""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to run it in")
PATIENCE = 120_000  # ms, for whatever has to come in a page

PAGE = """<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,">
<pre></pre>
<script type="module">
  import * as m from "./net.js";
  const answer = document.querySelector("pre");
  try {
    answer.textContent = JSON.stringify(%s);
  } catch (error) {
    answer.textContent = JSON.stringify(String(error));
  }
</script>
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript"
    }

    def log_message(self, *_):
        pass


def evaluate(folder, text, code):
    """What the code is in a page, where m is the module of this text; takes some seconds."""
    (folder / "net.js").write_text(text, encoding="utf-8")
    (folder / "index.html").write_text(PAGE % code, encoding="utf-8")
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = subprocess.run(
                [
                    CHROMIUM,
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    f"--user-data-dir={folder / 'profile'}",
                    "--dump-dom",
                    f"http://127.0.0.1:{server.server_port}/index.html",
                ],
                capture_output=True,
                encoding="utf-8",
                timeout=600,
            )
        finally:
            server.shutdown()
            thread.join()
    found = re.search("<pre>(.+)</pre>", done.stdout, re.DOTALL)
    assert found, done.stdout + done.stderr
    return json.loads(html.unescape(found[1]))


# An answer is painted in the second frame after it, and what is scrolled near is asked for in one.
QUIET = """async patience => {
  const page = document.querySelector("[data-state]"), end = performance.now() + patience;
  for (let frames = 0; frames < 5; frames += 1) {
    await new Promise(requestAnimationFrame);
    if (page.dataset.state !== "ready") frames = 0;
    if (performance.now() > end) throw new Error("the page is never ready");
  }
}"""


def settled(page):
    """Wait until nothing is asked any more, and what was answered is painted."""
    page.wait_for_selector("[data-state=ready]")
    page.evaluate(QUIET, PATIENCE)
