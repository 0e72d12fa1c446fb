"""Where numbers lie in one buffer, so that what is never needed together shares the same place."""

from __future__ import annotations

from collections.abc import Mapping


def offsets(
    sizes: Mapping[str, int], alive: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, int], int]:
    """An offset for each name, and the size of the buffer.

    `alive` says from which step to which the numbers are needed. The largest are placed first,
    each as low as those that are needed together with it allow.
    """
    placed: dict[str, int] = {}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        start = 0
        together = [other for other in placed if _overlap(alive[other], alive[name])]
        for other in sorted(together, key=placed.__getitem__):
            if start + sizes[name] <= placed[other]:
                break
            start = max(start, placed[other] + _whole(sizes[other]))
        placed[name] = start
    return placed, max((start + _whole(sizes[name]) for name, start in placed.items()), default=0)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _whole(size: int) -> int:
    """In whole vectors of four."""
    return -(-size // 4) * 4
