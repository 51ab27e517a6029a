"""How long `resyncctl --help` takes, next to a bare interpreter and to importing ccxt."""

import subprocess
import sys
import time

ROUNDS = 9
CONTESTANTS = {
    "python -c pass": ["-c", "pass"],
    "resyncctl --help": ["-m", "resyncctl", "--help"],
    "resyncctl cancel-all --help": ["-m", "resyncctl", "cancel-all", "--help"],
    "import ccxt.async_support": ["-c", "import ccxt.async_support"],
}


def fastest_ms(arguments: list[str]) -> float:
    """The best of several rounds: the one least disturbed by the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        best = min(best, time.perf_counter() - began)
    return best * 1000


def main() -> None:
    """Print milliseconds and the ratio to a bare interpreter."""
    bare = fastest_ms(CONTESTANTS["python -c pass"])
    for name, arguments in CONTESTANTS.items():
        took = fastest_ms(arguments)
        print(f"{name:<30} {took:8.0f} ms   {took / bare:5.1f}x bare python")


if __name__ == "__main__":
    main()
