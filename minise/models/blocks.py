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
from minise.nn.relatives import BLOCK_OPTIONS, BLOCKS
from minise.nn.se import OF_THE_NET

# Those of all blocks, each once: which of them a block has is checked when it is known.
OPTIONS = ("block", *dict.fromkeys(name for options in BLOCK_OPTIONS.values() for name in options))


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
    called = options.pop("block", "se")
    if called not in BLOCKS:
        raise InputError(f"{name}: {nearest('block', called, list(BLOCKS))}")
    block, told = BLOCKS[called], f"block={called}"
    if block is nn.SEBlock and options.get("squeeze") == "none":
        block, told = nn.NoSqueeze, "squeeze=none"
        del options["squeeze"]
    has = BLOCK_OPTIONS[block]
    if unfit := [option for option in options if option not in has]:
        takes_only = ", ".join(has) or "no options"
        raise InputError(f"{name}: {unfit[0]} does nothing with {told}, which takes {takes_only}")
    options = {option: value for option, value in usual.items() if option in has} | options
    takes = _arguments(block)
    options |= {what: v for what, v in (("rng", rng), ("dtype", dtype)) if what in takes}

    def make(channels: int, **more: Any) -> nn.Layer:
        more = {what: value for what, value in more.items() if what in takes}
        return block(*[channels] if "channels" in takes else [], **options, **more)

    return make


def _arguments(block: type[nn.Layer]) -> set[str]:
    """Those of `OF_THE_NET` that it takes: `nn.GatherExcite` none, `nn.ConcurrentSE` any option."""
    parameters = inspect.signature(block).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return {what for what in OF_THE_NET if takes_any or what in parameters}
