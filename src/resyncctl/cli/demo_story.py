"""The story of the demo, told step by step while it happens. Called by `cli.demo`.

Each step runs a real command and checks its exit code; a step that ends otherwise stops the demo
with an error, so that the demo is a test of the whole as well.
"""

import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resyncctl.cli.demo_world import ACCOUNT, DemoWorld, demo_world
from resyncctl.core.errors import ResyncError
from resyncctl.core.exit_codes import ExitCode

Write = Callable[[str], object]
QUOTES = 6
_RESYNC = (
    *("resync", ACCOUNT, "--protective", "cancel", "--engine-stopped"),
    *("--reason", "engine died"),
)


@dataclass(slots=True)
class Teller:
    """Prints the story and runs its commands."""

    write: Write
    world: DemoWorld
    chapter: int = 0

    def title(self, words: str) -> None:
        """Begin a chapter."""
        self.chapter += 1
        self.write(f"\n{'=' * 78}\n{self.chapter}. {words}\n{'=' * 78}\n")

    def say(self, words: str) -> None:
        """Tell something."""
        self.write(f"{words}\n")

    async def run(self, *words: str, expect: ExitCode, quiet: bool = False) -> str:
        """Type a command, show what it prints, and insist on how it ends."""
        self.write(f"\n$ resyncctl {shlex.join(words)}\n")
        ran = await self.world.command(*words)
        shown = ran.out if quiet else ran.err + ran.out
        self.write("".join(f"  {line}\n" for line in shown.splitlines()))
        self.write(f"  -> exit {ran.code} {_name(ran.code)}\n")
        if ran.code != expect:
            raise ResyncError(
                f"`resyncctl {' '.join(words)}` ended with {ran.code}, "
                f"the demo expected {expect.value} {expect.name}",
                hint=ran.err.strip()[-400:] or None,
            )
        return ran.out


async def tell(write: Write, *, folder: Path | None, seed: int) -> None:
    """Tell the whole story.

    Raises:
        ResyncError: A command did not end as it should.
        TimeoutError: Something that the story waits for did not happen.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="resyncctl-demo-") as scratch:
        async with demo_world(folder or Path(scratch), seed) as world:
            teller = Teller(write, world)
            write(
                "resyncctl demo. A practice exchange runs on this machine; it speaks Binance's\n"
                "own protocol to ccxt's own classes. No real exchange can be reached.\n"
            )
            await _trade(teller)
            await _break(teller)
            await _look(teller)
            await _make_safe(teller)
            await _repair(teller)
            await _resume(teller)
            _account_for(teller, time.monotonic() - began)


async def _trade(teller: Teller) -> None:
    teller.title("A healthy bot")
    teller.say("The engine starts. There is no gate file yet, and that means UNSAFE: it waits.")
    await teller.world.start_engine()
    checkpoint = teller.world.folder / f"{ACCOUNT}-checkpoint.json"
    await teller.world.until(checkpoint.exists, "the engine wrote its first checkpoint")
    start = "start of day"
    await teller.run("gate", "close", ACCOUNT, "--reason", start, expect=ExitCode.OK, quiet=True)
    teller.say(
        "\nIt may trade once it is proved that nothing is amiss. The engine itself acknowledges\n"
        "that it is quiet behind the closed gate."
    )
    await _let_trade(teller, start, "--no-watch")
    await teller.world.until(
        lambda: len(teller.world.orders()) >= QUOTES, "the engine quoted on every market"
    )
    teller.say(f"\nThe engine quotes: {len(teller.world.orders())} orders rest at the exchange.")


async def _break(teller: Teller) -> None:
    world = teller.world
    teller.title("The gap")
    world.control.call("hold_all_prices")
    pid = await world.kill("engine")
    teller.say(f"kill -9 {pid}: the engine is gone, with its orders still resting. Meanwhile:")
    own = {(o["market"], o["symbol"], o["side"]): o for o in world.orders()}
    filled = own["usdm", "BTCUSDT", "BUY"]
    world.control.call("fill", order=filled, quantity=filled["quantity"], price=filled["price"])
    teller.say(
        f"- its USD-M order {filled['client_order_id']} fills: a position it knows nothing of"
    )
    partly = own["spot", "ETHUSDT", "BUY"]
    world.control.call("fill", order=partly, quantity="0.1", price=partly["price"])
    teller.say(f"- its spot order {partly['client_order_id']} fills in part")
    lost = own["spot", "BTCUSDT", "SELL"]
    world.control.call("cancel", order=lost)
    teller.say(f"- its spot order {lost['client_order_id']} is cancelled by the exchange")
    price = float(own["spot", "BTCUSDT", "BUY"]["price"])
    world.control.call(
        "seed_order",
        account=ACCOUNT,
        market="spot",
        symbol="BTCUSDT",
        side="BUY",
        quantity="0.01",
        price=f"{price * 0.97:.2f}",
        client_order_id="web_somebody_else",
    )
    teller.say("- somebody places a spot order by hand (web_somebody_else)")
    world.control.call(
        "seed_order",
        account=ACCOUNT,
        market="usdm",
        symbol="ETHUSDT",
        side="BUY",
        type="STOP_MARKET",
        quantity="0.5",
        stop_price="9000",
        client_order_id="forgotten_stop",
    )
    teller.say("- a conditional entry order rests in the separate algo service (forgotten_stop)")
    world.control.call(
        "seed_oco",
        account=ACCOUNT,
        symbol="ETHUSDT",
        side="SELL",
        quantity="0.2",
        price="9000",
        stop_price="1000",
        stop_limit_price="990",
    )
    teller.say("- an OCO pair rests on spot")


async def _look(teller: Teller) -> None:
    teller.title("Three in the morning: what is true?")
    await teller.run("gate", "close", ACCOUNT, "--reason", "engine died", expect=ExitCode.OK)
    await teller.run("reconcile", ACCOUNT, expect=ExitCode.BLOCKED, quiet=True)


async def _make_safe(teller: Teller) -> None:
    teller.title("Make it quiet, and prove it")
    teller.say("An acknowledgement is no proof. The proof reads every scope again and again.")
    teller.say("One command goes the whole way; the engine's disconnect hook could call it, too.")
    await teller.run(*_RESYNC, expect=ExitCode.BLOCKED)
    rest = len(teller.world.orders())
    teller.say(f"\nThe exchange's own books agree: {rest} orders rest.")
    if rest:
        raise ResyncError(f"resync said that no order rests, and {rest} do")
    teller.say("\nMay the gate open? Orders are gone, but the bot's memory is still wrong:")
    await teller.run(
        *("gate", "open", ACCOUNT, "--confirm", ACCOUNT), expect=ExitCode.REFUSED, quiet=True
    )


async def _repair(teller: Teller) -> None:
    teller.title("Repair the bot's memory")
    teller.say(
        "Every difference becomes an event; applied, they bring the checkpoint to the truth."
    )
    await teller.run(*_RESYNC, "--repair", expect=ExitCode.OK, quiet=True)
    teller.say("\nA comparison finds nothing any more:")
    await teller.run("reconcile", ACCOUNT, expect=ExitCode.OK, quiet=True)


async def _resume(teller: Teller) -> None:
    teller.title("SAFE, on evidence, and back to trading")
    await teller.world.start_engine()
    teller.say("The engine starts again from the repaired checkpoint. The gate is SAFE: it waits.")
    await _let_trade(teller, "proved safe after the engine died", "--watch", "5s")
    await teller.world.until(
        lambda: len(teller.world.orders()) >= QUOTES, "the engine quoted again"
    )
    teller.say(f"\nThe engine is back: {len(teller.world.orders())} orders rest at the exchange.")
    await teller.run("status", expect=ExitCode.OK, quiet=True)
    await teller.run("audit", "verify", expect=ExitCode.OK, quiet=True)


async def _let_trade(teller: Teller, reason: str, *more: str) -> None:
    await teller.run(
        *("verify", ACCOUNT, "--resume", "--confirm", ACCOUNT, "--reason", reason),
        *more,
        expect=ExitCode.OK,
        quiet=True,
    )


def _account_for(teller: Teller, seconds: float) -> None:
    teller.title("What the exchange saw")
    placed = teller.world.control.ask_log("orders_placed", account=ACCOUNT)
    closed = _closed_spans(teller.world.folder)
    forbidden = [row for row in placed if any(a <= row["time_ms"] <= b for a, b in closed)]
    teller.say(f"orders placed in all: {len(placed)}; while the gate was closed: {len(forbidden)}")
    teller.say(f"the demo took {seconds:.0f} seconds")
    if forbidden:
        raise ResyncError(f"{len(forbidden)} orders were placed while the gate was closed")


def _closed_spans(folder: Path) -> list[tuple[int, int]]:
    """Return when the gate was not RUNNING, from the history that the store keeps."""
    from resyncctl.adapters.store.store_opening import open_store
    from resyncctl.core.snapshot import Unknown

    state_dir = folder / "state"
    store = open_store(state_dir, int(time.time() * 1000))
    history = store.gate_history(ACCOUNT, limit=1000)
    store.close()
    if isinstance(history, Unknown):
        raise ResyncError(f"the gate's history cannot be read: {history.reason}")
    rows = sorted((move.at_ms, move.to_state) for move in history)
    spans: list[tuple[int, int]] = []
    closed_since: int | None = 0
    for at_ms, state in rows:
        if state == "RUNNING" and closed_since is not None:
            spans.append((closed_since, at_ms))
            closed_since = None
        elif state != "RUNNING" and closed_since is None:
            closed_since = at_ms
    if closed_since is not None:
        spans.append((closed_since, 2**62))
    return spans


def _name(code: int) -> str:
    return ExitCode(code).name if code in set(ExitCode) else "unknown"
