"""Headers, run by the C compiler that is there."""

import pytest

from minise import InputError
from minise.export.c.compiled import compiler


def _has_compiler():
    try:
        return bool(compiler())
    except InputError:
        return False


needs_compiler = pytest.mark.skipif(not _has_compiler(), reason="there is no C compiler")
