"""Training steps beside PyTorch on the same card: time, memory, and where minise's time goes."""

from collections import Counter

import numpy as np
from gpu.measure.findings import Findings, judged, megabytes, seconds

from minise import backend, bench, models, train
from minise.bench import ceiling
from minise.bench.cases import step
from minise.bench.runner import import_pytorch
from minise.data import Dataset, Split

CASES = {"step-se-resnet8-512": 1.0, "step-se-resnet50-32": 2.5}  # with the goals: see `tell`
EAGER = ("nchw", "channels_last")
SECONDS = 2.0  # for each
MEMORY = [
    bench.MemoryCase("memory-se-resnet8-512", "", "se-resnet8", 512),
    bench.ON_GPU["memory-se-resnet50"],
]
PROFILED, QUICK_PROFILED = ("se-resnet50", 32), ("se-cnn", 4)
PROFILED_STEPS, KINDS = 5, 6


def measure(found: Findings, quick: bool) -> None:
    for case, goal in cases(quick).items():
        tell(found, run(case, quick), goal, EAGER)
    memory = [bench.MemoryCase("memory", "", "se-cnn", 4)] if quick else MEMORY
    for of_memory in memory:
        _tell_memory(found, run(of_memory, quick).results[0])
    _profile(found, *(QUICK_PROFILED if quick else PROFILED))


def cases(quick: bool) -> dict[bench.AnyCase, float]:
    """The steps, each with its goal: minise's time by that of PyTorch."""
    if quick:
        return {step("step-se-cnn-2", "se-cnn", 2): 1.0, step("step-cnn-1", "cnn", 1): 2.5}
    return {bench.ON_GPU[name]: goal for name, goal in CASES.items()}


def run(case: bench.AnyCase, quick: bool, compiled: bool = False) -> bench.Report:
    if quick:
        ceiling.SIZES_ON_GPU, ceiling.COPIED_ON_GPU = (64,), 2**16
    with backend.using("cupy"):
        lasting = 0.01 if quick else SECONDS
        return bench.run([case], threads=bench.cores(), seconds=lasting, compiled=compiled)


def without_pytorch() -> str:
    """Why there is nothing to compare with, or nothing."""
    with backend.using("cupy"):
        if import_pytorch() is not None:
            return ""
    try:
        import torch  # noqa: F401
    except ImportError:
        return "skipped: PyTorch is not installed"
    return "skipped: the PyTorch that is installed cannot use this GPU"


def tell(found: Findings, report: bench.Report, goal: float, variants: tuple[str, ...]) -> None:
    """The times, and minise's by the best of these variants of PyTorch."""
    (result,) = report.results
    assert isinstance(result.case, bench.Case)
    what, images = result.case.about.removeprefix("training step of "), result.case.work.amount
    for text in result.wrong:
        found.is_wrong(f"{what}: {text}")
    for text in dict.fromkeys(result.notes):
        found.note(f"{what}: {text}")
    if result.minise is None:
        return
    times = {f"PyTorch, {name}": measured for name, measured in result.pytorch.items()}
    for who, measured in {"minise": result.minise, **times}.items():
        speed = images / measured.median
        found.figure(f"{what}: {who}", f"{seconds(measured.median)}, {speed:,.0f} images/s")
    ratio = result.ratio(*variants)
    if ratio is None:
        found.figure(f"{what}: minise by PyTorch", without_pytorch())
    else:
        best = min(set(variants) & result.pytorch.keys(), key=lambda name: result.pytorch[name])
        said = f"{ratio:.2f} of the time of {best}"
        found.figure(f"{what}: minise by PyTorch", said, judged(f"≤ {goal}", ratio <= goal))


def _tell_memory(found: Findings, result: bench.Result) -> None:
    assert isinstance(result.case, bench.MemoryCase)
    sizes = {"minise": result.minise, **{f"PyTorch, {k}": v for k, v in result.pytorch.items()}}
    said = [f"{who} {megabytes(size.median)}" for who, size in sizes.items() if size is not None]
    found.figure(f"{result.case.net}, {result.case.batch} images: memory taken", "; ".join(said))


def _profile(found: Findings, name: str, batch: int) -> None:
    """Which kinds of layers a step's time goes to; each of them is waited for."""
    rng = np.random.default_rng(0)
    shape = models.image_shape(name)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, *shape), np.uint8)
        return Split(images, rng.integers(0, 10, count))

    profile = train.Profile()
    with backend.using("cupy"):
        net = models.create(name)
        train.warm_up(net, shape, batch)
        backend.current().synchronize()
        train.fit(
            net, Dataset("random", split(PROFILED_STEPS * batch), split(2)),
            train.SGD(net.parameters(), 1e-3, momentum=0.9),
            epochs=1, rng=rng, batch_size=batch, test_at_end=True, profile=profile,
        )  # fmt: skip
    kinds: Counter[str] = Counter()
    for part, spent in profile.spent.items():
        kinds[spent.kind or part] += (spent.forward + spent.backward) / profile.steps
    total = sum(kinds.values())
    said = [
        f"{kind} {seconds(took)} ({took / total:.0%})" for kind, took in kinds.most_common(KINDS)
    ]
    found.figure(
        f"{name}, {batch} images: where a step of {seconds(total)} goes, layer by layer",
        ", ".join(said),
    )
