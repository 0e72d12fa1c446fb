"""What the tables of several libraries share."""

from __future__ import annotations

from minise.models.naming import Table

BASIC = ("resnet18", "resnet34")
DEEP = ("resnet50", "resnet101", "resnet152")
RESNEXT = ("resnext50-32x4d", "resnext101-32x4d")
DOWNSAMPLE = (("*.shortcut.*", "*.downsample.*"),)


def with_se(*names: str) -> tuple[str, ...]:
    return tuple(f"se-{name}" for name in names)


def called(*names: str, se: str = "se", before: str = "", after: str = "") -> dict[str, str]:
    """Their names, which begin with `before` and with `se` for our "se-"."""
    theirs = {name: name.replace("se-", se).replace("-", "_") for name in names}
    return {ours: before + name + after for ours, name in theirs.items()}


def parts(ours: str, theirs: str, parts: dict[str, str]) -> Table:
    """Rows for the parts of the blocks that match a pattern."""
    return tuple((f"{ours}.{a}.*", f"{theirs}.{b}.*") for a, b in parts.items())


def small(depth: int, theirs: str) -> Table:
    """Places of block1, block2, … of our small nets in three stages, from their pattern."""
    each = (depth - 2) // 6
    return tuple(
        (f"block{each * (stage - 1) + k + 1}.*", theirs.format(stage=stage, k=k, unit=k + 1))
        for stage in (1, 2, 3)
        for k in range(each)
    )
