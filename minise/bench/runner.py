"""Run cases: set both libraries up, compare their results, then time what agrees."""

from __future__ import annotations

import gc
import types
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from minise import backend
from minise.bench.case import AnyCase, Arrays, Case, MemoryCase, Side, Variant
from minise.bench.ceiling import Ceilings, measure_ceilings
from minise.bench.check import differences
from minise.bench.memory import can_be_measured, measure_memory
from minise.bench.ours import Minise
from minise.bench.timing import Measured, alternate
from minise.machine import machine_facts
from minise.work import Facts

# What minise is compared with where PyTorch is missing, by its backend. The specification would
# take minutes for the cases of a GPU; the tests hold Numba's kernels to it.
JUDGES = {
    "numpy": ("numpy", "the specification"),
    "numba": ("numpy", "the specification"),
    "cupy": ("numba", "minise on the processor"),
}

REPLAYS = 2  # calls after the first, in which PyTorch records its graphs and replays them


class Result(NamedTuple):
    """The result of a case. Where minise's numbers are wrong, nothing was timed."""

    case: AnyCase
    minise: Measured | None  # seconds of a call, or bytes
    pytorch: dict[str, Measured]  # by the name of the variant
    wrong: tuple[str, ...] = ()  # what differs
    notes: tuple[str, ...] = ()  # what could not be measured, and why

    def best(self, variants: Iterable[str]) -> Measured | None:
        """The smallest of these variants of PyTorch; None where none of them was measured."""
        measured = [self.pytorch[name] for name in variants if name in self.pytorch]
        return min(measured, default=None)

    def ratio(self, *variants: str) -> float | None:
        """Ours divided by the best of these variants, or of all; below 1 minise needs less."""
        best = self.best(variants or self.pytorch)
        if self.minise is None or best is None or best.median == 0:
            return None
        return self.minise.median / best.median

    def rate(self) -> float | None:
        """Work per second: operations or bytes in thousands of millions, or images."""
        if self.minise is None or isinstance(self.case, MemoryCase):
            return None
        amount, unit = self.case.work
        return amount / self.minise.median / (1 if unit == "images" else 1e9)


class Report(NamedTuple):
    """All results of a run."""

    machine: Facts
    ceilings: Ceilings
    with_pytorch: bool
    results: list[Result]

    def share(self, result: Result) -> float | None:
        """The share of the machine's ceiling that minise reaches; None where there is none."""
        if isinstance(result.case, MemoryCase) or (rate := result.rate()) is None:
            return None
        ceiling = self.ceilings.of(result.case.work.unit)
        return rate / ceiling if ceiling else None


def run(
    cases: Sequence[AnyCase],
    *,
    threads: int,
    seconds: float = 1.0,
    compiled: bool = False,
    on_case: Callable[[str], None] = lambda name: None,
) -> Report:
    """Measure `cases`, next to PyTorch where it is installed, if `compiled` also as compiled.

    Each takes `seconds` or a little more. `on_case` is called with each name before it begins. With
    "cupy" in use both run on that GPU. Raises `InputError` for a number of threads that is out of
    range; both libraries have at the end as many as before.
    """
    pytorch = import_pytorch()
    running, using = backend.current().running(), backend.using_num_threads(threads)
    with running, using, ExitStack() as afterwards:
        if pytorch is not None:
            afterwards.callback(pytorch.set_up(threads))
        return _run(cases, pytorch, threads, seconds, compiled, on_case)


def _run(
    cases: Sequence[AnyCase],
    pytorch: types.ModuleType | None,
    threads: int,
    seconds: float,
    compiled: bool,
    on_case: Callable[[str], None],
) -> Report:
    machine = machine_facts(threads)
    on_case("the machine's ceilings")
    # First: once arrays of this size have been freed, the C library keeps such memory, for both
    # libraries, and no case depends on the cases before it.
    ceilings = measure_ceilings(threads)
    results = []
    for case in cases:
        on_case(case.name)
        if backend.current().on_gpu:
            _give_memory_back(pytorch)
        if isinstance(case, MemoryCase):
            results.append(_run_memory(case, pytorch is not None, threads))
        else:
            results.append(_run_case(case, pytorch, seconds, compiled))
    return Report(machine, ceilings, pytorch is not None, results)


def import_pytorch() -> types.ModuleType | None:
    """`minise.bench.pytorch`, or None where it cannot be imported, or cannot use the GPU."""
    try:
        import torch  # noqa: F401
    except (ImportError, OSError):  # OSError: installed, but one of its libraries is missing
        return None
    from minise.bench import pytorch

    return pytorch if pytorch.can_be_used() else None


def _run_case(
    case: Case, pytorch: types.ModuleType | None, seconds: float, compiled: bool
) -> Result:
    arrays = case.arrays()
    sides = {"minise": case.side(Minise(), arrays)}
    numbers = sides["minise"].numbers()
    wrong, notes = [], []
    if pytorch is None:
        judge, name = JUDGES[backend.current().name]
        wrong += _against(name, numbers, _judged(judge, case, arrays), case)
    else:
        pytorch.forget_compiled()
        for variant in _variants(case, compiled):
            side = case.side(pytorch.PyTorch(variant), arrays)
            try:
                theirs = side.numbers()
                for _ in range(REPLAYS if variant.graphs else 0):
                    side.call()
            except Exception as error:  # a compiler can fail in many ways
                if not variant.compiled:
                    raise
                notes.append(f"PyTorch could not compile it: {_first_line(error)}")
                continue
            wrong += _against(f"PyTorch ({variant.name})", numbers, theirs, case)
            sides[variant.name] = side
    if wrong:
        return Result(case, None, {}, wrong=tuple(wrong), notes=tuple(notes))
    del numbers
    calls = {name: side.call for name, side in sides.items()}
    times = alternate(calls, seconds=seconds, wait=backend.current().synchronize)
    return Result(case, times.pop("minise"), times, notes=tuple(notes))


def _run_memory(case: MemoryCase, with_pytorch: bool, threads: int) -> Result:
    if not can_be_measured():
        return Result(case, None, {}, notes=("this system does not report the size of a process",))
    theirs = {}
    if with_pytorch:
        variants = [Variant(), Variant(channels_last=True)]
        theirs = {v.name: measure_memory(case, v, threads) for v in variants}
    return Result(case, measure_memory(case, None, threads), theirs)


def _give_memory_back(pytorch: types.ModuleType | None) -> None:
    """GPU memory that one library keeps is not available to the other."""
    gc.collect()  # a recorded step and its trainer refer to each other
    backend.current().release_memory()
    if pytorch is not None:
        pytorch.give_memory_back()


def _variants(case: Case, compiled: bool) -> list[Variant]:
    layouts = (False, True) if case.channels_last else (False,)
    variants = [Variant(channels_last) for channels_last in layouts]
    if not compiled:
        return variants
    if backend.current().on_gpu:  # where the compiler chooses the layout of convolutions itself
        return [*variants, Variant(compiled=True), Variant(compiled=True, graphs=True)]
    return [*variants, *(Variant(channels_last, compiled=True) for channels_last in layouts)]


def _judged(judge: str, case: Case, arrays: Arrays) -> Arrays:
    with backend.using(judge):
        side: Side = case.side(Minise(), arrays)
        return side.numbers()


def _against(what: str, ours: Arrays, theirs: Arrays, case: Case) -> list[str]:
    found = differences(ours, theirs, case.gradient_tolerance, case.forward_tolerance)
    return [f"{line}, by {what}" for line in found]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
