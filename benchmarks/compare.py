"""Measure the comparison alone: snapshots loaded, wall time and peak memory as the work grows.

    python benchmarks/compare.py            the curve up to 100,000 orders and 1,000,000 fills
    python benchmarks/compare.py --quick    the two small points only

Each point runs in a process of its own, so that the peak of one does not hide that of another.
The budget is about one core, so it is held against processor time; wall time is shown beside it.
Orders and fills are counted on both sides together. One in ten orders missed a fill in the cases
named `missed`, which is the case that grows faster than linear elsewhere.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from resyncctl.core.compare import Comparison, compare
from resyncctl.core.events import emit
from resyncctl.core.model import Balance, Fill, Leg, Order, OrderStatus, Position, Scope, Side
from resyncctl.core.policy import Policy
from resyncctl.core.snapshot import (
    EngineSnapshot,
    Known,
    ProductReading,
    Provenance,
    VenueSnapshot,
    Window,
)

NOW_MS = 1_770_000_000_000
HOUR_MS = 3_600_000
POINTS = ((1_000, 10_000), (10_000, 100_000), (100_000, 1_000_000))
TIME_MAX_S = 5.0
MEMORY_MAX_MIB = 2048
SYMBOLS = [f"C{number}/USDT:USDT" for number in range(200)]


def make_orders(count: int, fills_each: int) -> list[Order]:
    """Return resting orders, each partly filled."""
    return [
        Order(
            account="main",
            product="linear",
            symbol=SYMBOLS[number % len(SYMBOLS)],
            side=Side.BUY if number % 2 else Side.SELL,
            type="limit",
            status=OrderStatus.PARTIALLY_FILLED,
            client_order_id=f"mm1-{number}",
            venue_order_id=str(10_000_000 + number),
            quantity=Decimal(1000),
            filled=Decimal(fills_each),
            price=Decimal(100 + number % 977),
            created_at_ms=NOW_MS - HOUR_MS - number,
            updated_at_ms=NOW_MS - HOUR_MS - number,
        )
        for number in range(count)
    ]


def make_fills(orders: list[Order], fills_each: int) -> list[Fill]:
    """Return the fills of the orders, one base unit each."""
    return [
        Fill(
            account="main",
            product="linear",
            symbol=order.symbol,
            trade_id=f"{order.venue_order_id}{turn:03d}",
            venue_order_id=order.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            quantity=Decimal(1),
            price=order.price,
            fee=Decimal("0.04"),
            fee_asset="USDT",
            at_ms=NOW_MS - HOUR_MS - turn,
        )
        for order in orders
        for turn in range(fills_each)
    ]


def make_sides(
    orders_total: int, fills_total: int, *, missed: bool
) -> tuple[EngineSnapshot, VenueSnapshot]:
    """Return two sides that agree, or whose engine missed a fill of every tenth order."""
    count = orders_total // 2
    fills_each = fills_total // orders_total
    window = Window(NOW_MS - 25 * HOUR_MS, NOW_MS)
    theirs = make_orders(count, fills_each)
    their_fills = make_fills(theirs, fills_each)
    ours, our_fills = make_orders(count, fills_each), make_fills(theirs, fills_each)
    if missed:
        del our_fills[:: 10 * fills_each]
        for number in range(0, count, 10):
            ours[number] = replace(ours[number], filled=ours[number].filled - 1)
    positions = tuple(_position(symbol) for symbol in SYMBOLS)
    balance = Balance(
        account="main", product="linear", asset="USDT", free=None, locked=None, total=Decimal(10**8)
    )
    engine = EngineSnapshot(
        account="main",
        as_of_ms=NOW_MS - 1000,
        sequence=1,
        source=Provenance("checkpoint", "bench"),
        orders=Known(tuple(ours), NOW_MS),
        fills=Known(tuple(our_fills), NOW_MS, window),
        positions=Known(positions, NOW_MS),
        balances=Known((balance,), NOW_MS),
    )
    reading = ProductReading(
        product="linear",
        orders=((Scope("linear"), Known(tuple(theirs), NOW_MS)),),
        fills=Known(tuple(their_fills), NOW_MS, window),
        positions=Known(positions, NOW_MS),
        balances=Known((balance,), NOW_MS),
        ledger=Known((), NOW_MS, window),
        position_mode="one_way",
    )
    venue = VenueSnapshot(
        account="main",
        venue="practice",
        as_of_ms=NOW_MS,
        products=(reading,),
        clock_offset_ms=3,
        identity=Known(("uid",), NOW_MS),
    )
    return engine, venue


def _position(symbol: str) -> Position:
    return Position(
        account="main",
        product="linear",
        symbol=symbol,
        leg=Leg.BOTH,
        quantity=Decimal(7),
        entry_price=Decimal(100),
    )


def measure(orders: int, fills: int, *, missed: bool) -> dict[str, float]:
    """Build one case in this process, compare it, and return seconds and MiB."""
    engine, venue = make_sides(orders, fills, missed=missed)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, started = time.perf_counter(), time.process_time()
    comparison = compare(engine, venue, Policy(), NOW_MS)
    seconds, wall = time.process_time() - started, time.perf_counter() - wall
    _check(comparison, orders, missed=missed)
    started = time.process_time()
    events = emit(engine, venue, comparison) if missed else ()
    return {
        "seconds": seconds,
        "wall_seconds": wall,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "loaded_mib": loaded,
        "findings": len(comparison.findings),
        "events": len(events),
        "emit_seconds": time.process_time() - started,
    }


def _check(comparison: Comparison, orders: int, *, missed: bool) -> None:
    expected = orders // 2 // 10 if missed else 0
    found = sum(finding.kind.value == "MISSING_FILL" for finding in comparison.findings)
    if found != expected:
        raise SystemExit(f"expected {expected} missing fills and found {found}")


def run_point(orders: int, fills: int, *, missed: bool) -> dict[str, float]:
    """Measure one case in a fresh process."""
    command = [sys.executable, str(Path(__file__)), "--point", str(orders), str(fills)]
    done = subprocess.run(
        [*command, "--missed"] if missed else command, check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def run(points: tuple[tuple[int, int], ...]) -> int:
    """Print the curve; return 1 when the largest point breaks a budget or growth is not linear."""
    print("compare: snapshots loaded, both sides together, one core")
    print("case     orders      fills   cpu s  wall s  us/row  peak MiB  findings  emit s")
    failed = False
    for missed in (False, True):
        rates = []
        for orders, fills in points:
            result = run_point(orders, fills, missed=missed)
            rates.append(result["seconds"] / (orders + fills))
            print(
                f"{'missed' if missed else 'in sync':8}{orders:>7,}{fills:>11,}"
                f"{result['seconds']:>8.3f}{result['wall_seconds']:>8.3f}"
                f"{rates[-1] * 1e6:>8.2f}{result['peak_mib']:>10.0f}"
                f"{result['findings']:>10.0f}{result['emit_seconds']:>8.2f}"
            )
            failed |= result["seconds"] > TIME_MAX_S or result["peak_mib"] > MEMORY_MAX_MIB
        print(f"         cost of a row, largest over smallest case: {rates[-1] / rates[0]:.2f}x")
    print(
        f"budget {TIME_MAX_S:g} s of one core, {MEMORY_MAX_MIB} MiB: "
        f"{'MISSED' if failed else 'kept'}"
    )
    return int(failed)


def main() -> int:
    """Run the curve, or one point of it for the parent process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave the largest point out")
    parser.add_argument("--point", nargs=2, type=int, metavar=("ORDERS", "FILLS"))
    parser.add_argument("--missed", action="store_true", help="the engine missed fills")
    arguments = parser.parse_args()
    if arguments.point:
        print(json.dumps(measure(*arguments.point, missed=arguments.missed)))
        return 0
    return run(POINTS[:2] if arguments.quick else POINTS)


if __name__ == "__main__":
    raise SystemExit(main())
