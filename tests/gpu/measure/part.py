"""What the process of a part runs: `python -m gpu.measure.part MODULE PATH [--quick]`."""

import importlib
import sys
import traceback
from pathlib import Path

from gpu.measure.findings import Findings


def main(module: str, path: str, quick: bool) -> None:
    found = Findings(Path(path))
    try:
        importlib.import_module(f"gpu.measure.{module}").measure(found, quick)
    except Exception as error:
        traceback.print_exc()
        found.is_wrong(f"{type(error).__name__}: {error}".splitlines()[0])
    sys.exit(1 if found.wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--quick" in sys.argv[3:])
