"""`python -m minise` is the command `minise`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> None:
    """Run the command; Ctrl-C ends it in one line, also while it is imported."""
    try:
        from minise.cli import main as command
    except KeyboardInterrupt:
        stop()
    command()


def is_running() -> bool:
    """Whether this process is the command, and not a program that imports minise."""
    name = os.path.basename(sys.argv[0]).removesuffix(".exe")
    return name in ("minise", "-m")  # the second while Python looks for what `-m` names


def stop() -> NoReturn:
    """End the process as Ctrl-C does."""
    sys.stderr.write("\nminise: stopped\n")
    sys.exit(130)


if __name__ == "__main__":
    main()
