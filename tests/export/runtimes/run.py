"""Exported nets in other people's runtimes: python tests/export/runtimes/run.py FOLDER [RUNTIME…]

It writes the nets of `nets.py` as models into FOLDER, makes an environment there for each runtime
with the packages at the versions below, and compares the scores of 1, 5 and 64 images, one batch
after the other in one loaded net, with minise's. What is found goes into runtimes.json beside this
file, and from there into the reference page. All of it takes two hours and 6 GB.

--only WORD… takes the nets with one of these in their names, and leaves the rest of the record.
--models FOLDER takes the models that `write.py` wrote there; with --before what becomes of them is
kept as that of the form of export that was before, to be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from page import PAGE, page

HERE = Path(__file__).parent
RECORD = HERE / "runtimes.json"
BATCHES = (1, 5, 64)
SECONDS = 600  # for one model


class Environment(NamedTuple):
    """What is installed, and `alone` without what it asks for."""

    packages: str
    alone: str = ""
    python: str = ""  # its version, where this one does not do
    npm: str = ""


class Runtime(NamedTuple):
    """Where nets are run."""

    environment: str
    adapter: str  # the function of adapters.py
    package: str  # whose version is shown
    batch: int | None = None  # that its models are written for; else any


ENVIRONMENTS = {
    "onnxruntime": Environment("onnxruntime==1.32.0"),
    "onnxruntime-web": Environment("numpy", npm="onnxruntime-web@1.30.0"),
    "opencv4": Environment("opencv-python-headless==4.14.0.94"),
    "opencv5": Environment("opencv-python-headless==5.0.0.93"),
    "openvino": Environment("openvino==2026.4.1"),
    "ncnn": Environment("ncnn==1.0.20261020 numpy", alone="pnnx==20261020"),  # not its PyTorch
    "mnn": Environment("MNN==3.6.1 onnx==1.23.2 numpy"),
    "tensorflow": Environment(
        "onnx2tf==2.6.9 pyyaml==6.0.3", alone="tflite-micro==0.dev20261023182759", python="3.12"
    ),
    "tensorflow-older": Environment("onnx2tf==1.29.24"),
    "tract": Environment("tract==0.23.9 numpy"),
    "iree": Environment("iree-base-compiler==3.13.0 iree-base-runtime==3.13.0 onnx==1.23.2"),
    "tvm": Environment("apache-tvm==0.27.0.post1 onnx==1.23.2 scipy"),
    "tinygrad": Environment("tinygrad==0.14.0 numpy"),
    "onnx2torch": Environment(
        "torch==2.13.0 onnx==1.23.2 numpy pillow", alone="onnx2torch==1.5.15 torchvision==0.28.0"
    ),
    "emx": Environment("emx-onnx-cgen==1.4.0"),
}
RUNTIMES = {
    "onnxruntime": Runtime("onnxruntime", "onnxruntime", "onnxruntime"),
    "onnxruntime-web": Runtime("onnxruntime-web", "onnxruntime_web", "onnxruntime-web"),
    "OpenCV 4": Runtime("opencv4", "opencv", "opencv-python-headless"),
    "OpenCV 5": Runtime("opencv5", "opencv", "opencv-python-headless"),
    "OpenVINO, float32": Runtime("openvino", "openvino", "openvino"),
    "OpenVINO, as it comes": Runtime("openvino", "openvino_as_it_comes", "openvino"),
    "ncnn, float32": Runtime("ncnn", "ncnn", "ncnn"),
    "ncnn, as it comes": Runtime("ncnn", "ncnn_as_it_comes", "ncnn"),
    "MNN": Runtime("mnn", "mnn", "MNN"),
    "LiteRT": Runtime("tensorflow", "litert", "onnx2tf"),
    "LiteRT, older converter": Runtime("tensorflow-older", "litert", "onnx2tf"),
    "TFLite Micro": Runtime("tensorflow", "tflite_micro", "tflite-micro", batch=1),
    "tract": Runtime("tract", "tract", "tract"),
    "IREE": Runtime("iree", "iree", "iree-base-compiler"),
    "TVM": Runtime("tvm", "tvm", "apache-tvm"),
    "tinygrad": Runtime("tinygrad", "tinygrad", "tinygrad"),
    "onnx2torch": Runtime("onnx2torch", "onnx2torch", "onnx2torch"),
    "emx-onnx-cgen": Runtime("emx", "emx", "emx-onnx-cgen"),
    "emx-onnx-cgen, batch 1": Runtime("emx", "emx", "emx-onnx-cgen", batch=1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", default=list(RUNTIMES))
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--before", action="store_true")
    given = parser.parse_intermixed_args()
    folder = given.folder.resolve()
    models = (given.models or folder / "models").resolve()
    if not given.models:
        subprocess.run([sys.executable, HERE / "write.py", models], check=True)
    for name in given.runtimes:
        form = "before" if given.before else "now"
        for rows in judged(name, folder, models, given.only):
            keep(form, name, rows)
    PAGE.write_text(page(written()), encoding="utf-8")


def written() -> dict:
    """The record as it is."""
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def keep(form: str, name: str, rows: dict) -> None:
    """Put rows into the record, beside those that it has; one line for each net."""
    record = written()
    nets = record.setdefault(form, {}).get(name, {"nets": {}})["nets"]
    for net, found in rows["nets"].items():
        nets[net] = nets.get(net, {}) | found
    record[form][name] = {**rows, "nets": nets}
    RECORD.write_text(dumped(record), "utf-8")


def dumped(record: dict) -> str:
    forms = []
    for form, runtimes in record.items():
        blocks = []
        for name in sorted(runtimes, key=list(RUNTIMES).index):
            rows = runtimes[name]
            nets = ",\n".join(
                f"  {json.dumps(n)}: {json.dumps(r)}" for n, r in rows["nets"].items()
            )
            head = json.dumps({k: v for k, v in rows.items() if k != "nets"})[1:-1]
            blocks.append(f' {json.dumps(name)}: {{{head}, "nets": {{\n{nets}}}}}')
        forms.append(f"{json.dumps(form)}: {{\n" + ",\n".join(blocks) + "}")
    return "{" + ",\n".join(forms) + "}\n"


def judged(name: str, folder: Path, models: Path, words: list[str]) -> Iterator[dict]:
    """What a runtime makes of the models there, one after the other, by net and form."""
    runtime = RUNTIMES[name]
    about = {"package": runtime.package, "version": pinned(runtime)}
    try:
        python = environment(runtime.environment, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{name}: not installed: {error}", flush=True)
        yield {**about, "nets": {}}
        return
    scratch = tempfile.mkdtemp(dir=folder)
    theirs = Theirs(runtime.adapter, python, scratch)
    for path in sorted((models / str(runtime.batch or "any")).glob("*.onnx")):
        net = json.loads(path.with_suffix(".json").read_text())["net"]
        if any(word in net for word in words):
            images = models / f"{path.stem}.npz"
            found = theirs.ask({"model": str(path), "images": str(images), "batches": BATCHES})
            print(f"{name}: {path.stem} {net}: {found}", flush=True)
            yield {**about, "nets": {net: {path.stem.partition("-")[2]: found}}}
    theirs.close()
    shutil.rmtree(scratch, ignore_errors=True)


def pinned(runtime: Runtime) -> str:
    """The version that is shown."""
    packages = " ".join(ENVIRONMENTS[runtime.environment]._replace(python=""))
    return next(
        version
        for package, _, version in (
            word.replace("@", "==").partition("==") for word in packages.split()
        )
        if package == runtime.package
    )


def environment(name: str, folder: Path) -> Path:
    """Its Python, with the pinned packages; it is made unless the folder has it."""
    wanted, place = ENVIRONMENTS[name], folder / name
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        own = f"python{wanted.python}" if wanted.python else sys.executable
        subprocess.run([own, "-m", "venv", place], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *wanted.packages.split()], check=True)
        if wanted.alone:
            subprocess.run([*pip, "--no-deps", *wanted.alone.split()], check=True)
        if wanted.npm:
            npm = shutil.which("npm") or "npm"
            subprocess.run([npm, "install", "--silent", *wanted.npm.split()], cwd=place, check=True)
            shutil.copy(HERE / "web.mjs", place)
        (place / "made").touch()
    return python


class Theirs:
    """The process in a runtime's environment: a new one where it ended over a model."""

    def __init__(self, adapter: str, python: Path, scratch: str) -> None:
        self.command = [python, "-W", "ignore", HERE / "adapters.py", adapter, scratch]
        self.process: subprocess.Popen | None = None

    def ask(self, order: dict) -> dict:
        if self.process is None:
            variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL, env=variables,
            )  # fmt: skip
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        timer = threading.Timer(SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if line:
            return json.loads(line)
        code, self.process = self.process.wait(), None
        return {"error": f"its process ended with {code}"}

    def close(self) -> None:
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


if __name__ == "__main__":
    main()
