import os
import signal
import sys

import backends
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from minise import backend
from minise.cores import cores
from minise.data import Dataset, Split

STARTS = {}  # of the generators, one for each file of tests
MOST_WORKERS = 4  # each loads the compiled kernels, and PyTorch

# HYPOTHESIS_PROFILE chooses how many examples are drawn, the same ones each time but in `thorough`.
COMMON = {
    "deadline": None,  # the first example may compile kernels
    # `each_backend` is entered once for all examples of a test, which is what it is for; and on a
    # busy machine drawing may take any time
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("quick", max_examples=20, derandomize=True, **COMMON)
settings.register_profile("ci", max_examples=100, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# PyTorch's threads wait in a loop, and take half the cores from the other processes of the tests.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A shell that starts the tests in the background lets them ignore Ctrl-C, which some of them send.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # by nohup


def pytest_xdist_auto_num_workers(config):
    """Several processes for the whole suite; tests that are named run in this one."""
    whole = config.args_source is config.ArgsSource.TESTPATHS
    return min(MOST_WORKERS, cores()) if whole else 0


def pytest_collection_modifyitems(items):
    """What runs on the backend "cupy" bears the mark `gpu`."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(isinstance(value, str) and value == "cupy" for value in parameters):
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def boxes(monkeypatch):
    """Tables have the same lines everywhere: rich draws others where Windows shows no console."""
    monkeypatch.setattr("rich.console.detect_legacy_windows", lambda: False)


@pytest.fixture(autouse=True)
def threads_as_before():
    """After each test there are as many as before it.

    Nothing of minise is called for a test that left them alone: `faults/plant` sees who runs what.
    """

    def asked():
        team = sys.modules.get("minise.kernels.numba.team")
        return team and team._asked

    before = asked()
    yield
    if asked() != before:
        backend.set_num_threads(before or cores())


@pytest.fixture(autouse=True)
def draws(request):
    """Each test draws from the start of its file's generator, whichever tests ran before it."""
    generator = getattr(request.module, "RNG", None)
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = STARTS.setdefault(
            request.module, generator.bit_generator.state
        )


@pytest.fixture(params=backends.NAMES)
def each_backend(request):
    """Run the test once on every backend that this machine has."""
    with backends.using(request.param):
        yield request.param


@pytest.fixture
def stripes():
    """Images of 8×8 whose class is where the bright row is: learned in seconds."""
    rng = np.random.default_rng(0)

    def split(count):
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 1, 8, 8), dtype=np.uint8)
        images[np.arange(count), 0, 2 * labels + 1] += 180
        return Split(images, labels)

    return Dataset("stripes", split(120), split(60))
