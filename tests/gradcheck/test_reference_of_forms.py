"""The reference's examples with PyTorch and JAX print what stands below them."""

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "tutorials/reference/gradcheck.md"
SECTION = re.compile(r"^### PyTorch and JAX\n(.*?)^##", re.DOTALL | re.MULTILINE)
BLOCKS = re.compile(r"^```python\n(.*?)^```\n\n```\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_examples_with_pytorch_and_jax_print_what_they_say():
    for package in ("torch", "jax"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    (section,) = SECTION.findall(REFERENCE.read_text(encoding="utf-8"))
    blocks = BLOCKS.findall(section)
    assert len(blocks) == section.count("```python") == 3
    names = {"__name__": "reference"}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for code, wanted in blocks:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        assert doctest.OutputChecker().check_output(wanted, printed.getvalue(), flags), code
