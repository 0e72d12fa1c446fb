"""Tests in `on_gpu` want a GPU, or the stand-in, which only a process of its own has."""

import moving

collect_ignore = [] if moving.HAS_GPU else ["on_gpu"]
