"""The results of a run, as a table for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from minise.bench.case import Case, MemoryCase
from minise.bench.cases import SCALING
from minise.bench.loaded import BATCH, NET, Beside
from minise.bench.runner import Report, Result
from minise.bench.timing import Measured
from minise.machine import machine_facts
from minise.work import Facts

# The columns of PyTorch: their titles, and the variants whose best they show.
COLUMNS = {
    "PyTorch, NCHW": ("nchw",),
    "PyTorch, channels last": ("channels_last",),
    "PyTorch, compiled": ("nchw_compiled", "channels_last_compiled"),
    "PyTorch, compiled, graphs": ("nchw_compiled_graphs",),
}
RATES = {"FLOP": "GFLOP/s", "B": "GB/s", "images": "img/s"}


def as_json(report: Report) -> dict[str, Any]:
    """All of it, in seconds, bytes, GFLOP/s, GB/s, images/s, and parts of 1."""
    return {
        "machine": report.machine,
        "ceilings": {
            "matrix_product_gflops": report.ceilings.matrix_product,
            "copy_gbs": report.ceilings.copy,
        },
        "cases": [_case_as_json(report, r) for r in report.results if r.case.name not in SCALING],
        "scaling": [_case_as_json(report, r) for r in report.results if r.case.name in SCALING],
    }


def _case_as_json(report: Report, result: Result) -> dict[str, Any]:
    case = result.case
    work = None if isinstance(case, MemoryCase) else case.work
    return {
        "name": case.name,
        "about": case.about,
        "measured": "bytes" if work is None else "seconds",
        "wrong": list(result.wrong),
        "notes": list(result.notes),
        "minise": _measured_as_json(result.minise),
        "pytorch": {
            name: {**(_measured_as_json(measured) or {}), "ratio": result.ratio(name)}
            for name, measured in result.pytorch.items()
        },
        "ratio": result.ratio(),
        "work": work and work._asdict(),
        "rate": result.rate(),
        "rate_unit": work and RATES[work.unit],
        "share": report.share(result),
    }


def _measured_as_json(measured: Measured | None) -> dict[str, Any] | None:
    return measured and {**measured._asdict(), "spread": measured.spread}


def heading(report: Report) -> list[str]:
    """The machine, and its ceilings."""
    facts = report.machine
    versions = [
        f"{name} {facts[name]}"
        for name in ("python", "minise", "numpy", "numba", "cupy", "torch")
        if facts[name] is not None
    ]
    return [
        *([] if facts["gpu"] is None else [gpu(facts)]),
        f"{facts['processor']}, {facts['cores']} cores, threads used: {facts['threads']}",
        f"{', '.join(versions)}; backend {facts['backend']}",
        f"ceilings: matrix product {report.ceilings.matrix_product:.0f} GFLOP/s, "
        f"copy {report.ceilings.copy:.1f} GB/s",
    ]


def gpu(facts: Facts) -> str:
    """The GPU, its driver and CUDA."""
    driver = f"driver {facts['driver']}, " if facts["driver"] is not None else ""
    known = f" (the driver supports up to {facts['cuda_of_driver']})"
    return f"{facts['gpu']}, {driver}CUDA {facts['cuda']}{known}"


def loaded_as_json(rows: Sequence[Beside], threads: int) -> dict[str, Any]:
    """A step beside neighbours, in seconds."""
    return {
        "machine": machine_facts(threads),
        "net": NET,
        "batch": BATCH,
        "rows": [
            {
                "neighbours": row.neighbours._asdict(),
                "minise": _measured_as_json(row.minise),
                "one_thread": _measured_as_json(row.one_thread),
                "pytorch": _measured_as_json(row.pytorch),
            }
            for row in rows
        ],
    }


def table_of_loaded(rows: Sequence[Beside], threads: int) -> Table:
    """The same as a table: medians."""
    of = f"{threads} thread{'s' * (threads > 1)}"
    table = _table("neighbours", f"minise, {of}", "minise, 1 thread", f"PyTorch, {of}", "ratio")
    table.title = f"a training step of {NET}, {BATCH} images"
    for row in rows:
        theirs = ("", "")
        if row.pytorch is not None:
            theirs = _duration(row.pytorch), f"{row.minise.median / row.pytorch.median:.2f}"
        table.add_row(
            row.neighbours.about, _duration(row.minise), _duration(row.one_thread), *theirs
        )
    return table


def tables(report: Report, *, narrow: bool = False) -> list[Table]:
    """A table of the cases and one of the scaling, without empty ones.

    `narrow` ones, for 80 columns, leave out the rate.
    """
    cases = [result for result in report.results if result.case.name not in SCALING]
    scaling = [result for result in report.results if result.case.name in SCALING]
    both = [_table_of_cases(report, cases, narrow)] if cases else []
    return [*both, _table_of_scaling(scaling)] if scaling else both


def _table_of_cases(report: Report, results: list[Result], narrow: bool) -> Table:
    shown, rate = _columns(results), [] if narrow else ["rate"]
    result_table = _table("case", "minise", *rate, "share", *shown, *(["ratio"] if shown else []))
    for result in results:
        if result.minise is None:
            verdict = Text("WRONG", "bold red") if result.wrong else Text("not measured")
            result_table.add_row(result.case.name, verdict)
            continue
        show = _size if isinstance(result.case, MemoryCase) else _duration
        result_table.add_row(
            result.case.name,
            show(result.minise),
            *(_rate(result) for _ in rate),
            _percent(report.share(result)),
            *(_best(result, variants, show) for variants in shown.values()),
            _ratio(result),
        )
    return result_table


def _table_of_scaling(results: list[Result]) -> Table:
    """Time per image at each batch size."""
    shown = _columns(results)
    scaling = _table("batch size", "minise, each image", *shown, *(["ratio"] if shown else []))
    for result in results:
        images = images_of(result)
        if result.minise is None:
            scaling.add_row(f"{images}", Text("WRONG", "bold red"))
            continue

        def per_image(measured: Measured, images: int = images) -> str:
            low, median, high = (t / images for t in (measured.low, measured.median, measured.high))
            return _duration(Measured(median, low, high, measured.rounds))

        columns = (_best(result, variants, per_image) for variants in shown.values())
        scaling.add_row(f"{images}", per_image(result.minise), *columns, _ratio(result))
    return scaling


def legend(report: Report) -> list[str]:
    """What the columns mean."""
    lines = [
        "times: medians of forward and backward together, ± half the interquartile range",
        "rate: 2 operations for each multiply-add, or each array once for each pass over it",
        "share: of the ceilings above, the matrix product for GFLOP/s, the copy for GB/s; it can "
        "exceed 100 % where arrays stay in a cache, which is faster than memory",
    ]
    if report.with_pytorch:
        return [*lines, "ratio: minise divided by the best of PyTorch; below 1, minise needs less"]
    if report.machine["gpu"] is not None and report.machine["torch"] is not None:
        return [*lines, "The installed PyTorch cannot use this GPU: minise stands alone"]
    return [*lines, "To see PyTorch beside it: pip install torch"]


def wrong(report: Report) -> list[str]:
    """What differed, a line for each."""
    return [f"{result.case.name}: {line}" for result in report.results for line in result.wrong]


def notes(report: Report) -> list[str]:
    """Further notes: a busy machine, and what could not be measured, by reason."""
    load, cores = report.machine["load"], report.machine["cores"]
    lines = []
    if isinstance(load, float) and isinstance(cores, int) and load > cores / 2:
        lines.append(
            f"something else was running (load {load:.1f} on {cores} cores): do not trust the times"
        )
    names: dict[str, list[str]] = {}
    for result in report.results:
        for note in dict.fromkeys(result.notes):
            names.setdefault(note, []).append(result.case.name)
    return lines + [f"{', '.join(cases)}: {note}" for note, cases in names.items()]


def images_of(result: Result) -> int:
    """The batch size of a training step."""
    return int(result.case.work.amount) if isinstance(result.case, Case) else result.case.batch


def _table(*titles: str) -> Table:
    made = Table(
        box=None, header_style="bold", pad_edge=False, collapse_padding=len(titles) > 7
    )  # fits into 100 columns
    for title in titles:
        justify: Literal["left", "right"] = "left" if title == titles[0] else "right"
        words = title.replace(" ", "\n")  # one below the other, since figures are narrower
        made.add_column(words, no_wrap=True, justify=justify, vertical="bottom")
    return made


def _columns(results: Iterable[Result]) -> dict[str, tuple[str, ...]]:
    measured = {variant for result in results for variant in result.pytorch}
    return {title: names for title, names in COLUMNS.items() if measured & {*names}}


def _best(result: Result, variants: Sequence[str], show: Callable[[Measured], str]) -> str:
    measured = result.best(variants)
    return "" if measured is None else show(measured)


def _rate(result: Result) -> str:
    rate = result.rate()
    if rate is None or isinstance(result.case, MemoryCase):
        return ""
    unit = RATES[result.case.work.unit]
    return f"{rate:,.0f} {unit}" if unit == "img/s" or rate >= 100 else f"{rate:.1f} {unit}"


def _ratio(result: Result) -> Text:
    ratio = result.ratio()
    if ratio is None:
        return Text("")
    return Text(f"{ratio:.2f}", "green" if ratio < 1 else "yellow")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _duration(measured: Measured) -> str:
    seconds = measured.median
    unit, factor = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return _with_spread(measured, seconds * factor, unit)


def _size(measured: Measured) -> str:
    return _with_spread(measured, measured.median / 1024**2, "MB")


def _with_spread(measured: Measured, value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit} ±{measured.spread:.0%}"
