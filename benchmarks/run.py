"""Every benchmark, one after the other: `make bench`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Run each script with this interpreter, from the root of the checkout."""
    for script in ("help_time.py", "first_cancel.py", "compare.py"):
        print(f"\n== {script}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{script.removesuffix('.py')}", *sys.argv[1:]]
        subprocess.run(command, cwd=HERE.parent, check=True)


if __name__ == "__main__":
    main()
