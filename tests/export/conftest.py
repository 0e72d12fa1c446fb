import pytest
from trained import few_digits_net


@pytest.fixture(scope="session")
def net():
    """se-cnn after one pass over 4,000 digits of the sample."""
    return few_digits_net()
