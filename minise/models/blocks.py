"""Which block weighs the channels in a net by name: SE, or one of its relatives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from minise import nn
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.se import OPTIONS

BLOCKS: dict[str, type[nn.Layer]] = {
    "se": nn.SEBlock,
    "ese": nn.EffectiveSE,
    "eca": nn.ECA,
    "scse": nn.ConcurrentSE,
    "sse": nn.SpatialSE,
    "ge": nn.GatherExcite,
}


def make_block(
    name: str,
    usual: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.MakeSE:
    """What makes the block that `given` names in `block`, from a number of channels.

    The other options are for that block; where they are silent, `usual` has those of the net
    `name`. With squeeze="none" SE is `nn.NoSqueeze`. Raises `InputError` for an unknown block, and
    for an option that this block does not have.
    """
    options = dict(given)
    block = options.pop("block", "se")
    if block not in BLOCKS:
        raise InputError(f"{name}: {nearest('block', block, list(BLOCKS))}")
    made, called = BLOCKS[block], f"block={block}"
    if block == "se" and options.get("squeeze") == "none":
        made, called = nn.NoSqueeze, "squeeze=none"
        del options["squeeze"]
    takes = _arguments(made)
    if unfit := [option for option in options if option not in takes]:
        raise InputError(f"{name}: {unfit[0]} does nothing with {called}; leave one of them out")
    of_block = {option: value for option, value in usual.items() if option in takes} | options
    of_all = {"rng": rng, "dtype": dtype}
    of_block |= {what: value for what, value in of_all.items() if what in takes}

    def make(channels: int, **more: Any) -> nn.Layer:
        more = {what: value for what, value in more.items() if what in takes}
        given = (channels,) if "channels" in takes else ()
        return made(*given, **of_block, **more)

    return make


def _arguments(block: type[nn.Layer]) -> set[str]:
    """Those that a net may pass on; `ConcurrentSE` hands all others to its SE block."""
    named = set(inspect.signature(block).parameters)
    if "options" in named:
        named |= {*OPTIONS, "reduced_from", "rng", "dtype"}
    return named
