import os
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from minise import InputError, backend, ops, set_num_threads


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_numba_is_the_default_and_a_block_is_left_as_it_was_entered():
    if "MINISE_BACKEND" not in os.environ:
        assert backend.current() == "numba"
    before = backend.current()
    with backend("numpy"):
        assert backend.current() == "numpy"
        with backend("numba"):
            assert backend.current() == "numba"
        assert backend.current() == "numpy"
    assert backend.current() == before


def test_use_holds_for_its_own_thread_alone():
    seen = []

    def choose():
        backend.use("numpy")
        seen.append(backend.current())

    before = backend.current()
    thread = threading.Thread(target=choose)
    thread.start()
    thread.join()
    assert seen == ["numpy"]
    assert backend.current() == before


def test_the_environment_chooses_for_a_process():
    assert run(
        "import minise, sys; print(minise.backend.current(), 'numba' in sys.modules)",
        MINISE_BACKEND="numpy",
    ).stdout.startswith("numpy False")
    wrong = run("import minise; minise.backend.current()", MINISE_BACKEND="tensorflow")
    assert "unknown name 'tensorflow'" in wrong.stderr


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="unknown name 'numbra', expected one of numba, numpy"):
        backend.use("numbra")


def test_cupy_without_cupy_or_a_gpu_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    backend._check_cupy.cache_clear()
    with pytest.raises(InputError, match="needs the CuPy package"):
        backend.use("cupy")
    no_gpu = types.SimpleNamespace(
        cuda=types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=lambda: 0))
    )
    monkeypatch.setitem(sys.modules, "cupy", no_gpu)
    with pytest.raises(InputError, match="no GPU on this machine"):
        backend.use("cupy")
    assert backend.current() != "cupy"


def test_arrays_of_two_kinds_are_refused_with_what_to_do():
    cupy_array = type("ndarray", (), {"__module__": "cupy", "dtype": np.dtype(np.float32)})()
    with pytest.raises(TypeError, match=r"channel_scale: NumPy and CuPy arrays .* cupy\.asarray"):
        ops.channel_scale(np.zeros((1, 1, 1, 1), np.float32), cupy_array)
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        ops.relu([1.0, 2.0])


def test_without_numba_the_specification_runs_and_says_so_once():
    done = run(
        "import sys, warnings; sys.modules['numba'] = None; import numpy as np, minise;"
        "warnings.simplefilter('always');"
        "print([minise.ops.relu(np.array([-1.0, v]))[0][1] for v in (1, 2)])"
    )
    assert done.stdout == "[np.float64(1.0), np.float64(2.0)]\n"
    assert done.stderr.count("Numba cannot be used here") == 1


def test_threads_are_set_and_bounded():
    import numba

    before = numba.get_num_threads()
    try:
        set_num_threads(1)
        assert numba.get_num_threads() == 1
    finally:
        set_num_threads(before)
    for wrong in (0, -1, 10_000):
        with pytest.raises(InputError, match=f"threads: {wrong} asked for"):
            set_num_threads(wrong)


def test_the_number_of_threads_does_not_change_a_bit():
    import numba

    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 6, 9, 7)).astype(np.float32)
    w = rng.standard_normal((7, 6, 3, 3)).astype(np.float32)
    before, results = numba.get_num_threads(), []
    try:
        for threads in range(1, before + 1):
            set_num_threads(threads)
            y, saved = ops.conv2d(x, w, padding=1, stride=2)
            results.append((y, *ops.conv2d_backward(np.cos(y), saved)[:2]))
    finally:
        set_num_threads(before)
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], result, strict=True))
