"""`python -m minise` is the command `minise`."""

from minise.cli import main

if __name__ == "__main__":
    main()
