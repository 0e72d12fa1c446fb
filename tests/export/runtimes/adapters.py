"""One function for each runtime: from a model's file to a function of images (N, C, H, W).

This file runs inside a runtime's environment, as `adapters.py RUNTIME FOLDER`: it reads one order
in JSON a line, and answers with a line. Whatever a tool writes goes into FOLDER.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray], np.ndarray]
BIN = Path(sys.executable).parent
LAST = 120  # characters of an error


def onnxruntime(path: Path, folder: Path) -> Run:
    import onnxruntime as ort

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]


def opencv(path: Path, folder: Path) -> Run:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path))

    def run(x: np.ndarray) -> np.ndarray:
        net.setInput(x)
        return net.forward()

    return run


def openvino(path: Path, folder: Path) -> Run:
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: compiled(x)[0]


def openvino_as_it_comes(path: Path, folder: Path) -> Run:
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU")
    return lambda x: compiled(x)[0]


def ncnn(path: Path, folder: Path, fp16: bool = False) -> Run:
    import ncnn

    shape = shape_of(path)
    # what pip puts beside Python wants PyTorch
    program = next(Path(ncnn.__file__).parents[1].glob("pnnx/pnnx*"))
    tool(program, path.name, f"inputshape=[1,{','.join(map(str, shape))}]f32", "fp16=0")
    net = ncnn.Net()
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(net.opt, option, fp16)
    stem = path.stem.replace(" ", "_").replace("-", "_")
    if net.load_param(f"{stem}.ncnn.param") or net.load_model(f"{stem}.ncnn.bin"):
        raise RuntimeError("ncnn cannot load what pnnx wrote")

    def one(image: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(image)).clone())
        return np.array(extractor.extract("out0")[1])

    return lambda x: np.stack([one(image) for image in x])


def ncnn_as_it_comes(path: Path, folder: Path) -> Run:
    return ncnn(path, folder, fp16=True)


def mnn(path: Path, folder: Path) -> Run:
    import MNN

    written = path.with_suffix(".mnn")
    tool(
        BIN / "mnnconvert", "-f", "ONNX", "--modelFile", path.name, "--MNNModel", written.name,
        "--bizCode", "minise",
    )  # fmt: skip
    name, output = names_of(path)
    net = MNN.nn.load_module_from_file(str(written), [name], [output])

    def run(x: np.ndarray) -> np.ndarray:
        given = MNN.expr.const(np.ascontiguousarray(x), x.shape, MNN.expr.NCHW)
        (y,) = net.forward([MNN.expr.convert(given, MNN.expr.NC4HW4)])
        return np.array(MNN.expr.convert(y, MNN.expr.NCHW).read())

    return run


def tflite(path: Path) -> Path:
    written = path.with_suffix("")
    tool(BIN / "onnx2tf", "-i", path.name, "-o", written.name, "-n")
    return next(written.glob("*_float32.tflite"))


def litert(path: Path, folder: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(tflite(path)), num_threads=1)
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))  # NHWC
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(gives["index"]).copy()

    return run


def tflite_micro(path: Path, folder: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter
    from tflite_micro.python.tflite_micro import runtime

    file = str(tflite(path))
    Interpreter(file).allocate_tensors()  # what LiteRT refuses is not given to it
    interpreter = runtime.Interpreter.from_file(file, arena_size=4_000_000)

    def one(image: np.ndarray) -> np.ndarray:
        interpreter.set_input(np.ascontiguousarray(image.transpose(1, 2, 0)[None]), 0)
        interpreter.invoke()
        return interpreter.get_output(0)[0].copy()

    return lambda x: np.stack([one(image) for image in x])


def tract(path: Path, folder: Path) -> Run:
    import tract

    net = tract.onnx().load(str(path)).into_model().into_runnable()
    return lambda x: net.run([np.ascontiguousarray(x)])[0].to_numpy()


def iree(path: Path, folder: Path) -> Run:
    from iree import runtime

    tool(BIN / "iree-import-onnx", path.name, "-o", "net.mlir")
    tool(
        BIN / "iree-compile", "net.mlir", "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu", "-o", "net.vmfb",
    )  # fmt: skip
    module = runtime.load_vm_flatbuffer_file("net.vmfb", driver="local-sync")
    main = next(
        module[name] for name in module.vm_module.function_names if not {"_", "$"} & set(name)
    )
    return lambda x: main(np.ascontiguousarray(x)).to_host()


def tvm(path: Path, folder: Path) -> Run:
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    module = from_onnx(onnx.load(path), keep_params_in_input=False)
    built = relax.VirtualMachine(tvm.compile(module, "llvm"), tvm.cpu())
    return lambda x: built["main"](tvm.runtime.tensor(np.ascontiguousarray(x))).numpy()


def tinygrad(path: Path, folder: Path) -> Run:
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    net, (name, output) = OnnxRunner(path), names_of(path)
    return lambda x: net({name: Tensor(x)})[output].numpy()


def onnx2torch(path: Path, folder: Path) -> Run:
    import torch

    # torchvision beside this PyTorch does not load its compiled file
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define(
        "roi_align(Tensor input, Tensor rois, float scale, int h, int w, int ratio, bool aligned)"
        " -> Tensor"
    )
    import onnx2torch

    net = onnx2torch.convert(path).eval()
    with torch.no_grad():
        return lambda x: net(torch.from_numpy(x)).detach().numpy()


def emx(path: Path, folder: Path) -> Run:
    tool(BIN / "emx-onnx-cgen", "compile", path.name, "net.c", "--model-name", "net")
    library = f"{time.time_ns()}.so"  # one of a name that was loaded is not loaded again
    tool("cc", "-O1", "-shared", "-fPIC", "net.c", "-o", library, "-lm")
    loaded = ctypes.CDLL(str(folder / library))
    if Path("net.bin").exists():  # what is large of the weights
        loaded.net_load(b"net.bin")
    entry = loaded.net
    text = Path("net.c").read_text()
    declared = re.search(r"^_Bool net\((.*)\)|^void net\((.*)\)", text, re.MULTILINE)[0]
    floats = ctypes.POINTER(ctypes.c_float)

    def run(x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), 10), np.float32)
        sizes = [ctypes.c_int(len(x))] if "int N" in declared else []
        images = [x] if sizes else x[:, None]
        for part, out in zip(images, [y] if sizes else y[:, None], strict=True):
            given = np.ascontiguousarray(part)
            entry(*sizes, given.ctypes.data_as(floats), out.ctypes.data_as(floats))
        return y

    return run


def onnxruntime_web(path: Path, folder: Path) -> Run:
    """In Node, by `web.mjs` beside this file, which was copied to where its package is."""
    node = subprocess.Popen(
        ["node", "web.mjs", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        cwd=BIN.parent,
    )  # fmt: skip

    def run(x: np.ndarray) -> np.ndarray:
        order = {"shape": x.shape, "values": x.ravel().tolist()}
        node.stdin.write(json.dumps(order).encode() + b"\n")
        node.stdin.flush()
        answer = json.loads(node.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return np.array(answer["values"], np.float32).reshape(answer["shape"])

    return run


def tool(*command: str | Path) -> None:
    """Run it in the folder. What it says counts where it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    if done.returncode:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if "rror" in line), (lines or [""])[-1])
        raise RuntimeError(f"{Path(command[0]).name}: {said}")


def graph_of(path: Path) -> dict:
    """What `write.py` put beside the model: names and the shape of an image."""
    return json.loads(path.with_suffix(".json").read_text())


def names_of(path: Path) -> tuple[str, str]:
    return graph_of(path)["input"], graph_of(path)["output"]


def shape_of(path: Path) -> list[int]:
    return graph_of(path)["shape"]


def compared(run: Run, images: np.ndarray, scores: np.ndarray, batches: list[int]) -> dict:
    """The largest difference at each batch, as a share of the largest score."""
    found: dict[str, float | str] = {}
    for N in batches:
        try:
            y = np.asarray(run(np.ascontiguousarray(images[:N])), np.float32)
            if y.shape != (N, scores.shape[1]):
                raise ValueError(f"gives {y.shape} for {N} images")
            found[str(N)] = float(f"{np.abs(y - scores[:N]).max() / np.abs(scores).max():.1e}")
        except Exception as error:
            found[str(N)] = one_line(error)
    return found


def one_line(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= LAST else said[: LAST - 1] + "…"


def answer(name: str, folder: Path, order: dict) -> dict:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)  # several tools write where they stand, and one over what it is given
    path = folder / "net.onnx"
    shutil.copy(order["model"], path)
    shutil.copy(Path(order["model"]).with_suffix(".json"), path.with_suffix(".json"))
    with np.load(order["images"]) as kept:
        images, scores = kept["images"], kept["scores"]
    try:
        run = globals()[name](path, folder)
    except Exception as error:
        return {"error": one_line(error)}
    return compared(run, images, scores, [N for N in order["batches"] if len(images) >= N])


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print is no answer
    for line in sys.stdin:
        print(json.dumps(answer(name, folder, json.loads(line))), file=answers, flush=True)
