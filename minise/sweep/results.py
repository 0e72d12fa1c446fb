"""What is in the folder of a point that has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minise.sweep.point import RESULT, Point


def result_of(point: Point, sweep: Path) -> dict[str, Any]:
    """What was found; nothing where it cannot be read."""
    try:
        found = json.loads((sweep / point.name / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
