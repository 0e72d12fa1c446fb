"""How long an exported module of JavaScript takes for one picture, in Node and in Chromium.

    python tests/export/javascript/speed.py [FOLDER]

FOLDER is one in which `npm install onnxruntime-web@1.30.0` was run: then its wasm computes the same
nets as ONNX models in Node, with one thread. Each figure is the median of 21 runs of as many
pictures as take some 20 ms, after a second of warming up.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import in_chromium
import in_node

from minise import models
from minise.export import Pixels, javascript_module, onnx_model

NETS = ("se-cnn", "se-resnet8")
PIXELS = Pixels(0.1307, 0.3081)
RUNS = """(() => {
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => (i * 31) % 256);
  const run = (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) m.predict(pixels);
    return (performance.now() - start) / count;
  };
  for (const start = performance.now(); performance.now() < start + 1000; ) run(10);
  const count = Math.ceil(20 / run(10));
  return Array.from({ length: 21 }, () => run(count)).sort((a, b) => a - b)[10];
})()"""
ORT = """
import * as ort from "%s";
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create("%s");
const pixels = Float32Array.from({ length: 784 }, (_, i) => (i * 31) %% 256);
const feed = { pixels: new ort.Tensor("float32", pixels, [1, 1, 28, 28]) };
const run = async (count) => {
  const start = performance.now();
  for (let i = 0; i < count; i++) await session.run(feed);
  return (performance.now() - start) / count;
};
for (const start = performance.now(); performance.now() < start + 1000; ) await run(10);
const count = Math.ceil(20 / (await run(10))), times = [];
for (let i = 0; i < 21; i++) times.push(await run(count));
console.log(times.sort((a, b) => a - b)[10]);
"""


def main(folder: Path | None) -> None:
    for name in NETS:
        net = models.create(name)
        text = javascript_module(net, (1, 28, 28), pixels=PIXELS)
        weights = len(max(text.splitlines(), key=len))
        print(f"{name}: {len(text) - weights} bytes of code, {weights} of weights in base64")
        with tempfile.TemporaryDirectory() as place:
            node = in_node.Node(Path(place))
            print(f"  Node              {node.evaluate(text, RUNS):.3f} ms")
            node.close()
            if folder is not None:
                (model := Path(place) / "net.onnx").write_bytes(
                    onnx_model(net, (1, 28, 28), pixels=PIXELS).SerializeToString()
                )
                package = folder / "node_modules/onnxruntime-web/dist/ort.node.min.mjs"
                script = ORT % (package.resolve().as_uri(), model.as_posix())
                (path := Path(place) / "ort.mjs").write_text(script, encoding="utf-8")
                command = [in_node.NODE, str(path)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                print(f"  onnxruntime-web   {float(done.stdout):.3f} ms")
            chromium = in_chromium.evaluate(Path(place), text, RUNS)
            print(f"  Chromium          {chromium:.3f} ms")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
