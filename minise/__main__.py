"""`python -m minise` is the command `minise`."""

from __future__ import annotations

from minise.interrupted import stop


def main() -> None:
    """Run the command; Ctrl-C ends it in one line, also while it is imported."""
    try:
        from minise.cli import main as command
    except KeyboardInterrupt:
        stop()
    command()


if __name__ == "__main__":
    main()
