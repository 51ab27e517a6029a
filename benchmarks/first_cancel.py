"""From Enter to the first and the last cancel on the wire: resyncctl against a plain ccxt script.

Both start as cold processes against the same practice exchange with 3,000 symbols and a declared
latency. The times are the exchange's own. What is compared is the sending of cancels; resyncctl
then goes on to prove that the orders are gone, which the script never does.

    python benchmarks/first_cancel.py [--quick]
"""

import sys
from pathlib import Path

from benchmarks.practice_world import (
    LATENCY_MS,
    PracticeWorld,
    Timing,
    practice_world,
    time_cancels,
)

SCRIPT = Path(__file__).with_name("obvious_script.py")
FULL = [(1, 1), (1, 20), (1, 200), (10, 1), (10, 20), (50, 1), (50, 20)]
ROUNDS = 3
QUICK = [(1, 1), (1, 20)]


def commands(world: PracticeWorld) -> dict[str, list[str]]:
    """The contestants."""
    ready = str(world.folder / "venue" / "ready.json")
    cache = str(world.folder / "markets.json")
    ours = [sys.executable, "-m", "resyncctl", "--config", str(world.config), "cancel-all", "--yes"]
    return {
        "resyncctl": ours,
        "ccxt script": [sys.executable, str(SCRIPT), ready],
        "ccxt script, cached markets": [sys.executable, str(SCRIPT), ready, cache],
    }


def measure(accounts: int, symbols: int) -> dict[str, Timing]:
    """Run every contestant several times in turn and return the median of each."""
    rounds = [_measure_once(accounts, symbols) for _ in range(ROUNDS if accounts == 1 else 1)]
    return {
        name: Timing(
            _median([timings[name].first_cancel for timings in rounds]),
            _median([timings[name].all_cancelled for timings in rounds]),
        )
        for name in rounds[0]
    }


def _median(values: list[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return known[len(known) // 2] if len(known) == len(values) else None


def _measure_once(accounts: int, symbols: int) -> dict[str, Timing]:
    """Run every contestant in a world of its own; the cached script gets a first run to cache."""
    timings = {}
    for name in ("resyncctl", "ccxt script", "ccxt script, cached markets"):
        with practice_world(accounts, symbols) as world:
            command = commands(world)[name]
            if name.endswith("cached markets"):
                _warm(world, command)
            timings[name] = time_cancels(world, command, limit_s=180)
    return timings


def _warm(world: PracticeWorld, command: list[str]) -> None:
    """Let the script fill its cache against an account without orders: rest them again after."""
    held = {name: world.control.call("open_orders", account=name) for name in world.accounts}
    time_cancels(world, command, limit_s=180)
    for name, orders in held.items():
        wishes = [
            {
                "market": "spot",
                "symbol": order["symbol"],
                "side": order["side"],
                "quantity": order["quantity"],
                "price": order["price"],
            }
            for order in orders
        ]
        world.control.call("seed_orders", account=name, orders=wishes)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ratio(theirs: float | None, ours: float | None) -> str:
    return "-" if not theirs or not ours else f"{theirs / ours:.1f}x"


def main() -> None:
    """Print one line per contestant and world, with ratios to resyncctl."""
    worlds = QUICK if "--quick" in sys.argv else FULL
    print(f"time from process start, seconds; 3,000 symbols, {LATENCY_MS} ms declared latency")
    print(f"{'accounts':>8} {'symbols':>7}  {'contestant':<28} {'first':>7} {'all':>7}  ratio")
    for accounts, symbols in worlds:
        timings = measure(accounts, symbols)
        ours = timings["resyncctl"]
        for name, timing in timings.items():
            ratios = (
                f"{_ratio(timing.first_cancel, ours.first_cancel)} / "
                f"{_ratio(timing.all_cancelled, ours.all_cancelled)}"
            )
            print(
                f"{accounts:>8} {symbols:>7}  {name:<28} {_seconds(timing.first_cancel):>7} "
                f"{_seconds(timing.all_cancelled):>7}  {ratios}",
                flush=True,
            )


if __name__ == "__main__":
    main()
