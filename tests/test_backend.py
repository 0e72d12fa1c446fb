import os
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from minise import InputError, backend, models, ops, set_num_threads
from minise.cores import most_threads


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_numba_is_the_default_and_a_block_is_left_as_it_was_entered():
    if "MINISE_BACKEND" not in os.environ:
        assert backend.current().name == "numba"
    before = backend.current().name
    with backend.using("numpy"):
        assert backend.current().name == "numpy"
        with backend.using("numba"):
            assert backend.current().name == "numba"
        assert backend.current().name == "numpy"
    assert backend.current().name == before


def test_use_holds_for_its_own_thread_alone():
    seen = []

    def choose():
        backend.use("numpy")
        seen.append(backend.current().name)

    before = backend.current().name
    thread = threading.Thread(target=choose)
    thread.start()
    thread.join()
    assert seen == ["numpy"]
    assert backend.current().name == before


def test_the_environment_chooses_for_a_process():
    assert run(
        "import minise, sys; print(minise.backend.current().name, 'numba' in sys.modules)",
        MINISE_BACKEND="numpy",
    ).stdout.startswith("numpy False")
    wrong = run("import minise; minise.backend.current()", MINISE_BACKEND="tensorflow")
    assert "unknown name 'tensorflow'" in wrong.stderr


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="unknown name 'numbra', expected one of numba, numpy"):
        backend.use("numbra")


def test_cupy_without_cupy_or_a_gpu_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    backend.gpu._count_devices.cache_clear()
    with pytest.raises(InputError, match="needs the package CuPy: python -m pip install cupy-"):
        backend.use("cupy")
    no_gpu = types.SimpleNamespace(
        cuda=types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=lambda: 0))
    )
    monkeypatch.setitem(sys.modules, "cupy", no_gpu)
    with pytest.raises(InputError, match="no GPU on this machine"):
        backend.use("cupy")
    assert backend.current().name != "cupy"


def test_a_driver_that_is_too_old_is_told_with_what_it_knows(monkeypatch):
    def count():
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    runtime = types.SimpleNamespace(
        getDeviceCount=count,
        driverGetVersion=lambda: 11080,
        runtimeGetVersion=lambda: 12090,
    )
    old = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", old)
    backend.gpu._count_devices.cache_clear()
    with pytest.raises(
        InputError, match=r"built for CUDA 12\.9, .* driver is too old: .* up to 11\.8"
    ):
        backend.use("cupy")
    runtime.driverGetVersion = lambda: 0  # there is none
    with pytest.raises(InputError, match="'cupy' found no GPU driver on this machine"):
        backend.use("cupy")


def test_arrays_of_two_kinds_are_refused_with_what_to_do():
    cupy_array = type("ndarray", (), {"__module__": "cupy", "dtype": np.dtype(np.float32)})()
    with pytest.raises(TypeError, match=r"channel_scale: NumPy and CuPy .*backend\.asarray"):
        ops.channel_scale(np.zeros((1, 1, 1, 1), np.float32), cupy_array)
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        ops.relu([1.0, 2.0])


def test_without_numba_the_specification_runs_and_says_so_once():
    done = run(
        "import sys, warnings; sys.modules['numba'] = None; import numpy as np, minise;"
        "warnings.simplefilter('always');"
        "x, s = np.ones((1, 1, 1, 1)), np.ones((1, 1));"
        "print([minise.ops.channel_scale(x, v * s)[0].item() for v in (1, 2)])"
    )
    assert done.stdout == "[1.0, 2.0]\n"
    assert done.stderr.count("Numba cannot be used here") == 1


def test_threads_are_set_for_every_thread_of_python_and_bounded():
    set_num_threads(1)
    seen = []

    def use():
        seen.append(backend.get_num_threads())

    use()
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [1, 1]
    for wrong in (0, -1, 10_000):
        with pytest.raises(InputError, match=f"threads must be 1 to [0-9]+, got {wrong}"):
            set_num_threads(wrong)


def test_threads_of_a_block_are_those_of_before_afterwards():
    def given():
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        assert pools
        return [backend.get_num_threads(), *(pool["num_threads"] for pool in pools)]

    def fail(threads):
        with backend.using_num_threads(threads):
            assert backend.get_num_threads() == threads
            set_num_threads(1)
            raise KeyError

    set_num_threads(1)
    with threadpool_limits(limits=2, user_api="blas"):  # as the user chose
        before = given()
        with pytest.raises(KeyError):
            fail(most_threads())
        assert given() == before
        with (
            pytest.raises(InputError, match=r"threads must be 1 to \d+, got 0"),
            backend.using_num_threads(0),
        ):
            pass
        assert given() == before


def step_of(seed):
    """The state and gradients of a small net after one step, as bytes."""
    rng = np.random.default_rng(seed)
    net = models.create("se-resnet8", seed=seed)
    x = rng.standard_normal((20, 1, 12, 12), dtype=np.float32)
    scores, backward = net.forward(x)
    dx = backward(rng.standard_normal(scores.shape, dtype=np.float32))
    arrays = [scores, dx, *net.state_dict().values(), *(p.grad for p in net.parameters())]
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def test_the_number_of_threads_does_not_change_a_bit():
    results, threads = set(), backend.get_num_threads()
    for number in (*range(1, threads + 1), threads):
        set_num_threads(number)
        results.add(step_of(0))
    assert len(results) == 1


def test_two_threads_of_python_run_nets_at_once_and_get_what_one_gets():
    done = run(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from test_backend import step_of\n"
        "alone = [step_of(seed) for seed in range(4)]\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    together = list(pool.map(step_of, [*range(4)] * 4))\n"
        "print(together == alone * 4)",
    )
    assert done.stdout == "True\n", done.stderr


def test_an_operation_of_somebody_else_is_not_taken_for_its_namesake():
    def _channel_scale(x, s):
        return 2 * x * s[:, :, None, None]

    _channel_scale.__module__ = "mine.scale"
    x = np.ones((20, 3, 4, 4))
    assert (backend.accelerated(_channel_scale)(x, np.ones((20, 3))) == 2).all()


def test_what_is_done_beside_a_gpu_has_the_kernels_of_the_processor(monkeypatch):
    for name in ("numpy", "numba"):
        with backend.using(name) as chosen:
            assert backend.on_processor() is chosen
    monkeypatch.setattr(backend, "current", backend.CuPy)
    assert backend.on_processor().name == "numba"


def test_only_what_a_file_of_kernels_defines_is_a_kernel():
    with backend.using("numba") as numba:
        assert numba.find("scale.channel_scale", np.ones(2)) is not None
        assert numba.find("scale.empty", np.ones(2)) is None  # imported there
        assert numba.find("nowhere.channel_scale", np.ones(2)) is None


def test_a_numba_that_refuses_to_be_imported_is_none(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise RuntimeError('needs NumPy 1.0')")
    done = run(
        "import minise; from minise.runs import environment;"
        "print(minise.backend.current().name, environment.versions()['features'])",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(backend.__file__).parents[2]}",
    )
    assert done.stdout == "numpy None\n", done.stderr
    assert done.stderr.count("Numba cannot be used here (needs NumPy 1.0)") == 1
