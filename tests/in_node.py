"""Modules of JavaScript, run by Node."""

import json
import shutil
import subprocess

import numpy as np
import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no Node to run it in")
TOLERANCE = 1e-5  # of the largest score

# Each line of the input is a module's address and what to evaluate with it, as m; the answer is a
# line of JSON: what came out, or the message of what was thrown.
LOOP = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { module, code } = JSON.parse(line);
  let answer;
  try {
    const m = await import(module);
    answer = { value: new Function("m", `return ${code}`)(m) };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
"""


class Node:
    """One process for many modules: it starts in 50 ms, and reads a module in one."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        (folder / "loop.js").write_text(LOOP, encoding="utf-8")
        self.process = subprocess.Popen(
            [NODE, "loop.js"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def evaluate(self, text, code):
        """What the code is, where m is the module of this text. Raises `RuntimeError` it throws."""
        self.count += 1
        path = self.folder / f"net{self.count}.js"
        path.write_text(text, encoding="utf-8")
        request = {"module": path.as_uri(), "code": code}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def scores(self, text, pictures):
        """The scores (N, K) of pictures (N, H, W, C) or of rows (N, C)."""
        rows = json.dumps([picture.ravel().tolist() for picture in pictures])
        code = f"{rows}.map(pixels => Array.from(m.predict(pixels)))"
        return np.array(self.evaluate(text, code), np.float64)

    def close(self):
        self.process.communicate()


def assert_says_the_same(node, text, expected, pictures):
    """The module's scores are the expected ones (N, ...), for pictures (N, C, H, W) or (N, C)."""
    if pictures.ndim == 4:
        pictures = pictures.transpose(0, 2, 3, 1)
    scores = node.scores(text, pictures)
    allowed = TOLERANCE * np.abs(expected).max()
    np.testing.assert_allclose(scores, expected.reshape(len(scores), -1), rtol=0, atol=allowed)
