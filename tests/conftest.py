import pytest

from minise import backend


@pytest.fixture(params=["numpy", "numba"])
def each_backend(request):
    """Run the test once on every backend that this machine has."""
    with backend(request.param):
        yield request.param
