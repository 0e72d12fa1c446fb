import json
import sys
import types

import numpy as np
import pytest
from bench.small import SMALL

from minise import backend, bench, cli, machine
from minise.backend import gpu
from minise.bench import case, cases, ceiling, memory, runner
from minise.bench.check import differences
from minise.bench.ours import Minise, Trainer
from minise.kernels.cupy.replay import Replay


@pytest.fixture(autouse=True)
def _on_gpu():
    with backend.using("cupy") as chosen, chosen.running():
        yield


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(ceiling, "SIZES_ON_GPU", (16, 32))
    monkeypatch.setattr(ceiling, "COPIED_ON_GPU", 2**14)


@pytest.fixture
def without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


def measure(*chosen, **options):
    return bench.run(chosen, threads=1, seconds=0.001, **options)


@pytest.mark.parametrize("chosen", SMALL, ids=lambda chosen: chosen.name)
def test_a_case_is_what_it_is_on_the_processor(chosen):
    arrays = chosen.arrays()
    ours = chosen.side(Minise(), arrays).numbers()
    assert {type(array) for array in ours.values()} == {np.ndarray}
    with backend.using("numba"):
        expected = chosen.side(Minise(), arrays).numbers()
    assert differences(ours, expected, chosen.gradient_tolerance) == []


@pytest.mark.usefixtures("without_pytorch")
def test_all_is_measured_without_pytorch():
    few = [cases.tail("tail", 3, 4, 5), cases.step("step", "cnn", 2)]
    report = measure(*few)
    assert not report.with_pytorch
    assert report.machine["gpu"]
    assert report.machine["cupy"]
    assert report.ceilings.matrix_product > 0
    assert report.ceilings.copy > 0
    for result in report.results:
        assert result.wrong == ()
        assert result.minise.median > 0
    assert report.share(report.results[0]) > 0


@pytest.mark.usefixtures("without_pytorch")
def test_without_pytorch_the_processor_is_the_judge(monkeypatch):
    find, name = gpu._kernel, "scale.scale_add_relu"
    right = find(name)

    def wrong(*arguments):
        return right(*arguments) * np.float32(1.01)

    monkeypatch.setattr(gpu, "_kernel", lambda asked: wrong if asked == name else find(asked))
    (result,) = measure(cases.tail("tail", 3, 4, 5)).results
    assert result.minise is None
    assert all(line.endswith(", by minise on the processor") for line in result.wrong)
    assert result.wrong[0].startswith("y is off by ")


def test_a_step_is_recorded_where_a_training_records_it(monkeypatch):
    assert isinstance(Trainer("cnn")._take, Replay)
    monkeypatch.setattr("minise.bench.ours.repeats_itself", lambda net: False)
    assert not isinstance(Trainer("cnn")._take, Replay)


def test_memory_is_what_a_step_takes_from_the_card():
    chosen = bench.MemoryCase("memory", "", "cnn", 8)
    measured = memory.measure_memory(chosen, None, 1)
    first_outputs = 8 * 8 * 28 * 28 * 4  # of the first convolution, which relu and backward need
    assert first_outputs < measured.median < 100 * first_outputs
    assert measured.rounds == 1
    (result,) = measure(chosen).results
    assert result.minise.median == measured.median


def test_the_memory_of_steps_is_found_and_that_of_the_warm_up_is_not():
    MB = 2**20

    def hold(megabytes):
        backend.asarray(np.ones(megabytes * MB, np.uint8))

    taken = memory.taken_by_steps(
        backend.current(), lambda: hold(64), lambda: hold(16), backend.current().release_memory
    )
    assert 15 * MB < taken < 40 * MB


def test_a_compiler_chooses_layouts_itself_and_may_record():
    names = [variant.name for variant in runner._variants(SMALL[0], compiled=True)]
    assert names == ["nchw", "channels_last", "nchw_compiled", "nchw_compiled_graphs"]
    assert [v.name for v in runner._variants(SMALL[0], compiled=False)] == names[:2]


def test_pytorch_is_left_out_where_it_cannot_use_the_gpu(monkeypatch):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert runner.import_pytorch() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runner.import_pytorch() is not None


def test_pytorch_gets_the_same_gpu_and_float32_as_it_is(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench import pytorch

    chosen, backends = (
        [],
        types.SimpleNamespace(
            cuda=types.SimpleNamespace(matmul=types.SimpleNamespace(allow_tf32=True)),
            cudnn=types.SimpleNamespace(allow_tf32=True, benchmark=False),
        ),
    )
    assert str(pytorch.device()) == "cuda:0"
    monkeypatch.setattr(pytorch.torch, "backends", backends)
    monkeypatch.setattr(pytorch.torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(pytorch.torch, "set_num_threads", lambda threads: None)
    pytorch.set_up(1)
    assert chosen == [pytorch.device()]
    assert not backends.cuda.matmul.allow_tf32
    assert not backends.cudnn.allow_tf32
    assert backends.cudnn.benchmark


def test_the_command_measures_on_the_gpu_and_lists_what_is_for_one(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "CASES", {"tail": cases.tail("tail", 3, 4, 5)})
    quick = ["bench", "--backend", "cupy", "--device", "0", "--seconds", "0.001"]
    options = ["--json", "b.json", "--plot", "b.png"]
    for arguments in ([*quick, "--list"], [*quick, "tail", *options]):
        monkeypatch.setattr(bench, "ON_GPU", {"large": cases.tail("large", 3, 4, 5)})
        with pytest.raises(SystemExit) as exit_:
            cli.main(arguments)
        assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].startswith("large  tail of an SE residual block")
    facts = machine.machine_facts(1)
    assert f"{facts['gpu']}, " in out
    assert f"cupy {facts['cupy']}" in out
    with open("b.json") as file:
        written = json.load(file)
    assert written["machine"]["gpu"] == facts["gpu"]
    assert [of["name"] for of in written["cases"]] == ["tail"]


def test_a_variant_of_pytorch_has_a_name():
    assert case.Variant(compiled=True, graphs=True).name == "nchw_compiled_graphs"


def test_facts_of_a_gpu_are_none_on_a_processor():
    with backend.using("numba"):
        facts = machine.machine_facts(1)
    assert {facts[name] for name in ("gpu", "driver", "cuda", "cuda_of_driver", "cupy")} == {None}


def test_the_driver_tells_its_version(tmp_path, monkeypatch):
    told = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023"
    monkeypatch.setattr(gpu, "NVIDIA", tmp_path / "version")
    assert machine.machine_facts(1)["driver"] is None
    gpu.NVIDIA.write_text(f"{told}\nGCC version:  gcc version 12.2.0\n")
    assert machine.machine_facts(1)["driver"] == "535.54.03"
