"""What the run is on, as one line of JSON."""

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path

from minise import InputError, backend
from minise.cores import cores
from minise.machine import machine_facts


def main() -> None:
    try:
        backend.use("cupy")
    except InputError as error:
        sys.exit(f"minise: {error}")
    facts = machine_facts(cores()) | {
        "revision": revision(),
        "stand_in": importlib.util.find_spec("cupy.stand_in") is not None,
        "memory": backend.current().memory().total,
        "system": platform.platform(terse=True),
    }
    print(json.dumps(facts))


def revision() -> str | None:
    """Of the checkout, with "-dirty" where files were changed."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


if __name__ == "__main__":
    main()
