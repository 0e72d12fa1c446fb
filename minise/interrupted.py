"""Ctrl-C while minise is imported: the command ends in one line, a program gets its exception."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def is_command() -> bool:
    """Whether this process is the command, and not a program that imports minise."""
    name = os.path.basename(sys.argv[0]).removesuffix(".exe")
    return name in ("minise", "-m")  # the second while Python looks for what `-m` names


def stop() -> NoReturn:
    """End the process as Ctrl-C does."""
    sys.stderr.write("\nminise: stopped\n")
    sys.exit(130)
