"""What backends take and give, by type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array

Kernel: TypeAlias = Callable[..., Any]
TakeStep: TypeAlias = Callable[[Array, Array], None]  # with a batch x, labels
Batch: TypeAlias = tuple[Array, Array]  # images, as bytes, and labels
MakeBatches: TypeAlias = Callable[[np.random.Generator | None], Iterator[Batch]]
Facts: TypeAlias = dict[str, str | int | float | None]
