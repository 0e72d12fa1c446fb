"""What several tests of exported models need."""

import pytest
import trained


@pytest.fixture(scope="session")
def net():
    """se-cnn after one pass over 4,000 digits of the sample."""
    return trained.on_few_digits()
