"""`python -m resyncctl.simulator`: the practice exchange without the rest of the tool.

Promises: one line of JSON on standard output when it listens (the ready document), nothing else
there; errors go to standard error with exit code 1; SIGTERM and SIGINT end it with exit code 0.

Called by the demo, drills, tests, and people; `resyncctl sim serve` offers the same.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from resyncctl.simulator.serve import (
    Ready,
    ServeOptions,
    StateDirectoryInUse,
    serve_until_signal,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; return the exit code."""
    options = _options(arguments)
    try:
        asyncio.run(serve_until_signal(options, _print_ready))
    except (OSError, StateDirectoryInUse, ValueError) as error:
        sys.stderr.write(f"the practice exchange cannot serve: {error}\n")
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> ServeOptions:
    parser = argparse.ArgumentParser(
        prog="python -m resyncctl.simulator",
        description="A small exact exchange on loopback that speaks Binance spot and USD-M.",
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="keys, certificates, token")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--seed", type=int, default=0, help="prices and symbols follow from it")
    parser.add_argument("--symbols", type=int, default=None, help="3000 is the size of Binance")
    parser.add_argument(
        "--account", action="append", dest="accounts", help="an account to open and fund"
    )
    parser.add_argument("--ready-file", type=Path, default=None, help="written when it listens")
    parsed = parser.parse_args(arguments)
    return ServeOptions(
        state_dir=parsed.state_dir,
        port=parsed.port,
        seed=parsed.seed,
        symbols=parsed.symbols,
        accounts=tuple(parsed.accounts or ("demo",)),
        ready_file=parsed.ready_file,
    )


def _print_ready(ready: Ready) -> None:
    sys.stdout.write(json.dumps(asdict(ready)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
