"""Tests in `on_gpu` want a GPU, or the stand-in for one, which only a process of its own has."""

from pathlib import Path

import moving
import pytest

collect_ignore = [] if moving.HAS_GPU else ["on_gpu"]


def pytest_itemcollected(item):
    if "on_gpu" in item.path.relative_to(Path(__file__).parent).parts:
        item.add_marker(pytest.mark.gpu)
